#include "tools/measurement/latency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/random.h"
#include "engine/base/timer.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/energy.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/measurement/memory.h"
#include "tools/measurement/rounds.h"
#include "tools/measurement/statistics.h"

namespace edgeprune {
namespace {

constexpr double kTurn = 5;      // milliseconds, at least
constexpr double kPatience = 4;  // times as long as was asked for, until factors are known to 3 %

inference::Plan plan_of(const LatencyCase& one) {
  if (!one.everywhere) return {*one.graph, one.engine, one.batch, &kernel_choices()};
  return {*one.graph, assignment_of(*one.graph, one.engine, one.batch, true), one.batch};
}

class Measurement {
 public:
  Measurement(const LatencyCase& latency_case, const LatencyOptions& options, EnergyMeter& meter)
      : case_(latency_case),
        options_(options),
        meter_(meter),
        plan_(plan_of(latency_case)),
        images_({latency_case.batch, plan_.image_size()}),
        logits_({latency_case.batch, plan_.classes()}) {
    Rng rng(0);
    for (float& value : images_.values()) value = rng.normal();
    if (options.per_layer) {
      step_samples_.resize(plan_.steps().size());
      step_rounds_.resize(plan_.steps().size());
    }
  }

  void warm_up() {
    const ThreadScope scope(case_.threads);
    const Stopwatch watch;
    for (int64_t i = 0; i < options_.warmup_runs || watch.seconds() < options_.warmup_seconds;
         ++i) {
      throw_if_interrupted();
      run();
    }
    const Stopwatch last;
    run();
    repeats_ = std::max<int64_t>(
        1, std::llround(options_.min_sample_ms / std::max(1e-6, last.milliseconds())));
    const double sample_ms = double(repeats_) * std::max(1e-6, last.milliseconds());
    samples_a_turn_ = std::max<int64_t>(1, std::llround(std::ceil(kTurn / sample_ms)));
  }

  /// The median of its samples, in milliseconds an image.
  double turn() {
    const ThreadScope scope(case_.threads);
    run();
    const size_t before = samples_.size();
    std::vector<std::vector<double>> steps(step_samples_.size());
    const auto joules = meter_.joules();
    const double cpu = cpu_milliseconds();
    for (int64_t i = 0; i < samples_a_turn_; ++i) {
      sample();
      if (options_.per_layer) sample_steps(steps);
    }
    cpu_ms_ += cpu_milliseconds() - cpu;
    if (joules) joules_ += *meter_.joules() - *joules;
    for (size_t s = 0; s < steps.size(); ++s) {
      step_rounds_[s].push_back(median(steps[s]));
      step_samples_[s].insert(step_samples_[s].end(), steps[s].begin(), steps[s].end());
    }
    return median({samples_.begin() + static_cast<std::ptrdiff_t>(before), samples_.end()});
  }

  int64_t samples_a_turn() const { return samples_a_turn_; }

  LatencyResult result() const {
    std::vector<double> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    const double images = double(sorted.size()) * double(repeats_ * case_.batch) *
                          (options_.per_layer ? 2 : 1);  // steps are timed in runs of their own
    LatencyResult result{
        .cell = {.engine = to_string(case_.engine),
                 .batch = case_.batch,
                 .threads = case_.threads,
                 .samples = static_cast<int64_t>(sorted.size()),
                 .median = median(sorted),
                 .mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / double(sorted.size()),
                 .p90 = percentile(sorted, 0.90),
                 .p99 = percentile(sorted, 0.99),
                 .min = sorted.front(),
                 .max = sorted.back(),
                 .cpu_ms = cpu_ms_ / images,
                 .joules = meter_.readable() ? std::optional(joules_ / images) : std::nullopt},
        .samples = samples_,
        .arena_bytes = plan_.arena_bytes(),
        .steps = {}};
    const std::vector<inference::StepInfo> steps = plan_.steps();
    for (size_t i = 0; i < step_samples_.size(); ++i) {
      result.steps.push_back({steps[i], median(step_samples_[i]), step_rounds_[i]});
    }
    return result;
  }

 private:
  void run(std::vector<double>* seconds = nullptr) {
    plan_.run(images_.data(), logits_.data(), seconds);
  }

  void sample() {
    const Stopwatch watch;
    for (int64_t i = 0; i < repeats_; ++i) run();
    samples_.push_back(watch.milliseconds() / double(repeats_ * case_.batch));
  }

  void sample_steps(std::vector<std::vector<double>>& steps) {
    for (int64_t i = 0; i < repeats_; ++i) {
      std::vector<double> seconds;
      run(&seconds);
      for (size_t s = 0; s < steps.size(); ++s) {
        steps[s].push_back(1e3 * seconds[s] / double(case_.batch));
      }
    }
  }

  const LatencyCase& case_;
  const LatencyOptions& options_;
  EnergyMeter& meter_;
  inference::Plan plan_;
  Tensor images_, logits_;
  int64_t repeats_ = 1, samples_a_turn_ = 1;
  double cpu_ms_ = 0, joules_ = 0;  // over all samples
  std::vector<double> samples_;
  std::vector<std::vector<double>> step_samples_, step_rounds_;  // by step
};

using Measurements = std::vector<std::unique_ptr<Measurement>>;

Measurements set_up(const std::vector<LatencyCase>& cases, const LatencyOptions& options,
                    EnergyMeter& meter) {
  Measurements measurements;
  for (const LatencyCase& latency_case : cases) {
    throw_if_interrupted();
    const ThreadScope scope(latency_case.threads);  // a plan is made for the thread count in force
    const std::string purpose = fmt::format("a batch of {} images on the {} engine",
                                            latency_case.batch, to_string(latency_case.engine));
    measurements.push_back(explain_bad_alloc("latency", purpose, [&] {
      return std::make_unique<Measurement>(latency_case, options, meter);
    }));
  }
  Progress progress("warm-up", static_cast<int64_t>(cases.size()), "cases");
  for (const auto& measurement : measurements) {
    measurement->warm_up();
    progress.advance(1);
  }
  return measurements;
}

/// At least so many samples and seconds of each, and no longer than kPatience times that.
RoundLimits limits_of(const Measurements& measurements, const LatencyOptions& options) {
  RoundLimits limits;
  limits.at_least = options.seconds * double(measurements.size());
  limits.seconds = kPatience * limits.at_least;
  for (const auto& m : measurements) {
    const int64_t a_turn = m->samples_a_turn();
    limits.least = std::max(limits.least, (options.min_samples + a_turn - 1) / a_turn);
  }
  limits.fewest = std::max(limits.fewest, limits.least);
  limits.most = std::max(limits.most, limits.least);
  return limits;
}

}  // namespace

std::vector<LatencyResult> measure_latency(const std::vector<LatencyCase>& cases,
                                           const LatencyOptions& options) {
  require(options.seconds >= 0 && options.warmup_seconds >= 0 && options.min_samples >= 1,
          "latency",
          "expected at least 0 seconds, 0 seconds of warm-up and 1 sample, got {}, {} and {}",
          options.seconds, options.warmup_seconds, options.min_samples);
  const LoadWatch watch;
  EnergyMeter meter;
  const Measurements measurements = set_up(cases, options, meter);
  std::vector<Competitor> competitors;
  for (size_t i = 0; i < cases.size(); ++i) {
    competitors.push_back({[&one = *measurements[i]] { return one.turn(); }, cases[i].reference});
  }
  const Rounds rounds = take_turns(competitors, limits_of(measurements, options));
  const Load load = watch.load();
  std::vector<LatencyResult> results;
  for (size_t i = 0; i < cases.size(); ++i) {
    results.push_back(measurements[i]->result());
    results[i].cell.factor = rounds.factors[i];
    results[i].cell.load = load;
    results[i].rounds = rounds.times[i];
  }
  return results;
}

std::vector<LatencyCase> latency_cases(std::shared_ptr<const inference::Graph> graph,
                                       const std::vector<inference::Engine>& engines,
                                       const std::vector<int>& batches,
                                       const std::vector<int>& threads) {
  std::vector<LatencyCase> cases;
  for (const int count : threads) {
    for (const int batch : batches) {
      const size_t first = cases.size();
      for (const auto engine : engines) cases.push_back({graph, engine, batch, count, first});
    }
  }
  return cases;
}

}  // namespace edgeprune
