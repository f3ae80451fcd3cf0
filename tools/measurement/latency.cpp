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
#include "tools/measurement/kernel_cache.h"
#include "tools/measurement/memory.h"
#include "tools/measurement/statistics.h"

namespace edgeprune {
namespace {

constexpr double kShortestTurn = 25e-3, kLongestTurn = 250e-3;  // seconds

class Measurement {
 public:
  Measurement(const LatencyCase& latency_case, const LatencyOptions& options)
      : case_(latency_case),
        options_(options),
        plan_(*latency_case.graph, latency_case.engine, latency_case.batch, &kernel_choices()),
        images_({latency_case.batch, plan_.image_size()}),
        logits_({latency_case.batch, plan_.classes()}) {
    Rng rng(0);
    for (float& value : images_.values()) value = rng.normal();
    if (options.per_layer) step_samples_.resize(plan_.steps().size());
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
    sample_seconds_ = double(repeats_) * last.seconds();
  }

  /// Samples for at least so long, one at the least.
  void turn(double seconds) {
    const ThreadScope scope(case_.threads);
    run();
    const Stopwatch watch;
    do {
      sample();
      if (options_.per_layer) sample_steps();
    } while (watch.seconds() < seconds);
  }

  /// Estimated before the first turn.
  double sample_seconds() const { return sample_seconds_; }
  bool enough() const {
    return seconds_ >= options_.seconds && int64_t(samples_.size()) >= options_.min_samples;
  }

  LatencyResult result() const {
    std::vector<double> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
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
                 .max = sorted.back()},
        .samples = samples_,
        .arena_bytes = plan_.arena_size() * int64_t{sizeof(float)},
        .steps = {}};
    const std::vector<inference::StepInfo> steps = plan_.steps();
    for (size_t i = 0; i < step_samples_.size(); ++i) {
      result.steps.push_back({steps[i], median(step_samples_[i])});
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
    const double seconds = watch.seconds();
    seconds_ += seconds;
    samples_.push_back(1e3 * seconds / double(repeats_ * case_.batch));
  }

  void sample_steps() {
    for (int64_t i = 0; i < repeats_; ++i) {
      std::vector<double> seconds;
      run(&seconds);
      for (size_t s = 0; s < step_samples_.size(); ++s) {
        step_samples_[s].push_back(1e3 * seconds[s] / double(case_.batch));
      }
    }
  }

  const LatencyCase& case_;
  const LatencyOptions& options_;
  inference::Plan plan_;
  Tensor images_, logits_;
  int64_t repeats_ = 1;
  double sample_seconds_ = 0, seconds_ = 0;
  std::vector<double> samples_;
  std::vector<std::vector<double>> step_samples_;  // by step
};

using Measurements = std::vector<std::unique_ptr<Measurement>>;

Measurements set_up(const std::vector<LatencyCase>& cases, const LatencyOptions& options) {
  Measurements measurements;
  for (const LatencyCase& latency_case : cases) {
    throw_if_interrupted();
    const ThreadScope scope(latency_case.threads);  // a plan is made for the thread count in force
    const std::string purpose = fmt::format("a batch of {} images on the {} engine",
                                            latency_case.batch, to_string(latency_case.engine));
    measurements.push_back(explain_bad_alloc(
        "latency", purpose, [&] { return std::make_unique<Measurement>(latency_case, options); }));
  }
  Progress progress("warm-up", static_cast<int64_t>(cases.size()), "cases");
  for (const auto& measurement : measurements) {
    measurement->warm_up();
    progress.advance(1);
  }
  return measurements;
}

/// All turns are equally long, so that all cases get the same time: that of the longest sample,
/// within limits.
double turn_seconds(const Measurements& measurements) {
  double longest = 0;
  for (const auto& m : measurements) longest = std::max(longest, m->sample_seconds());
  return std::clamp(longest, kShortestTurn, kLongestTurn);
}

int64_t expected_rounds(const Measurements& measurements, double turn,
                        const LatencyOptions& options) {
  double rounds = 1;
  for (const auto& m : measurements) {
    const double sample = std::max(1e-6, m->sample_seconds());
    const double needed = std::max(options.seconds, sample * double(options.min_samples));
    // A turn's time goes half to the steps if they are timed too.
    const double gained = std::max(turn * (options.per_layer ? 0.5 : 1), sample);
    rounds = std::max(rounds, std::ceil(needed / gained));
  }
  return std::llround(rounds);
}

}  // namespace

std::vector<LatencyResult> measure_latency(const std::vector<LatencyCase>& cases,
                                           const LatencyOptions& options) {
  require(options.seconds >= 0 && options.warmup_seconds >= 0 && options.min_samples >= 1,
          "latency",
          "expected at least 0 seconds, 0 seconds of warm-up and 1 sample, got {}, {} and {}",
          options.seconds, options.warmup_seconds, options.min_samples);
  const Measurements measurements = set_up(cases, options);
  const double turn = turn_seconds(measurements);
  const auto enough = [](const auto& measurement) { return measurement->enough(); };
  int64_t left = expected_rounds(measurements, turn, options) * static_cast<int64_t>(cases.size());
  Progress progress("latency", left, "turns");
  while (!std::all_of(measurements.begin(), measurements.end(), enough)) {
    for (const auto& measurement : measurements) {
      throw_if_interrupted();
      measurement->turn(turn);
      progress.advance(left-- > 0 ? 1 : 0);  // their number is an estimate
    }
  }
  std::vector<LatencyResult> results;
  for (const auto& measurement : measurements) results.push_back(measurement->result());
  return results;
}

std::vector<LatencyCase> latency_cases(std::shared_ptr<const inference::Graph> graph,
                                       const std::vector<inference::Engine>& engines,
                                       const std::vector<int>& batches,
                                       const std::vector<int>& threads) {
  std::vector<LatencyCase> cases;
  for (const int count : threads) {
    for (const int batch : batches) {
      for (const auto engine : engines) cases.push_back({graph, engine, batch, count});
    }
  }
  return cases;
}

}  // namespace edgeprune
