#include "tools/experiment/latency.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/random.h"
#include "engine/base/timer.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/experiment/memory.h"

namespace edgeprune {
namespace {

class Measurement {
 public:
  Measurement(const LatencyCase& latency_case, const LatencyOptions& options)
      : case_(latency_case),
        plan_(*latency_case.graph, latency_case.engine, latency_case.batch),
        images_({latency_case.batch, plan_.image_size()}),
        logits_({latency_case.batch, plan_.classes()}) {
    Rng rng(0);
    for (float& value : images_.values()) value = rng.normal();
    for (int64_t i = 0; i < options.warmup; ++i) run();
    const Stopwatch watch;
    run();
    repeats_ = std::max<int64_t>(
        1, std::llround(options.min_sample_ms / std::max(1e-6, watch.milliseconds())));
  }

  double sample() {
    const ThreadScope scope(case_.threads);
    const Stopwatch watch;
    for (int64_t i = 0; i < repeats_; ++i) run();
    const double milliseconds = watch.milliseconds();
    samples_.push_back(milliseconds / double(repeats_ * case_.batch));
    return milliseconds * 1e-3;
  }

  LatencyCell cell() const {
    std::vector<double> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    const auto percentile = [&](double p) {  // nearest rank
      return sorted[static_cast<size_t>(std::ceil(p * double(sorted.size()))) - 1];
    };
    const size_t half = sorted.size() / 2;
    LatencyCell cell;
    cell.engine = to_string(case_.engine);
    cell.batch = case_.batch;
    cell.threads = case_.threads;
    cell.samples = static_cast<int64_t>(sorted.size());
    cell.median = sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    cell.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / double(sorted.size());
    cell.p90 = percentile(0.90);
    cell.p99 = percentile(0.99);
    cell.min = sorted.front();
    cell.max = sorted.back();
    return cell;
  }

 private:
  void run() { plan_.run(images_.data(), logits_.data()); }

  const LatencyCase& case_;
  inference::Plan plan_;
  Tensor images_, logits_;
  int64_t repeats_ = 1;
  std::vector<double> samples_;
};

}  // namespace

std::vector<LatencyCell> measure_latency(const std::vector<LatencyCase>& cases,
                                         const LatencyOptions& options) {
  require(options.seconds >= 0 && options.samples >= 1, "latency",
          "expected at least 0 seconds and 1 sample, got {} and {}", options.seconds,
          options.samples);
  std::vector<std::unique_ptr<Measurement>> measurements;
  for (const LatencyCase& latency_case : cases) {
    throw_if_interrupted();
    const ThreadScope scope(latency_case.threads);  // a plan is made for the thread count in force
    const std::string purpose = fmt::format("a batch of {} images on the {} engine",
                                            latency_case.batch, to_string(latency_case.engine));
    measurements.push_back(explain_bad_alloc(
        "latency", purpose, [&] { return std::make_unique<Measurement>(latency_case, options); }));
  }
  const double wanted = options.seconds * double(cases.size());
  Progress progress("latency", std::max<int64_t>(1, std::llround(wanted)), "s");
  double seconds = 0;
  for (int64_t round = 0; round < options.samples || seconds < wanted; ++round) {
    double spent = 0;
    for (const auto& measurement : measurements) {
      throw_if_interrupted();
      spent += measurement->sample();
    }
    progress.advance(std::llround(std::min(seconds + spent, wanted)) -
                     std::llround(std::min(seconds, wanted)));
    seconds += spent;
  }
  std::vector<LatencyCell> cells;
  for (const auto& measurement : measurements) cells.push_back(measurement->cell());
  return cells;
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
