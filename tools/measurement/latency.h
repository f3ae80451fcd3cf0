#pragma once
// Latency of models on engines, all measured in one interleaved run, so that what disturbs the
// machine disturbs all alike.

#include <memory>
#include <string>
#include <vector>

#include "engine/inference/plan.h"
#include "tools/measurement/latency_cell.h"

namespace edgeprune {

/// One thing to measure.
struct LatencyCase {
  std::shared_ptr<const inference::Graph> graph;
  inference::Engine engine = inference::Engine::dense;
  int batch = 1;
  int threads = 1;
  size_t reference = 0;  ///< the case that it is compared with
  /// int8_sparse skips zeros wherever it can (inference/assignment.h).
  bool everywhere = false;
};

struct LatencyOptions {
  double seconds = 3;        ///< a case, at least; up to four times that until all factors are...
  int64_t min_samples = 50;  ///< ...known to 3 %; and at least so many samples
  double warmup_seconds = 0.5;  ///< a case, at least...
  int64_t warmup_runs = 5;      ///< ...and at least so many runs
  /// A sample repeats the run until it takes so long: a clock reading costs, too.
  double min_sample_ms = 1;
  bool per_layer = false;  ///< between samples, as many runs with a clock reading a step
};

struct StepTime {
  inference::StepInfo step;
  double median_ms = 0;             ///< an image
  std::vector<double> rounds = {};  ///< the median of each round
};

struct LatencyResult {
  LatencyCell cell;                 ///< with the factor against the case's reference
  std::vector<double> samples;      ///< milliseconds an image, in the order they were taken
  std::vector<double> rounds = {};  ///< likewise a turn's, the same rounds for all cases
  int64_t arena_bytes = 0;          ///< of the plan's intermediate activations
  std::vector<StepTime> steps;      ///< in the order they run; empty unless per_layer
};

/// Cases take turns of five milliseconds (rounds.h), or of one sample if that is longer; each begins
/// with a run that does not count, because the turns before left the caches full of their own data.
/// A turn's time is the median of its samples. Inputs are random images. The results are in the
/// order of the cases. Throws std::runtime_error naming a case that memory does not suffice for,
/// Interrupted on Ctrl-C.
std::vector<LatencyResult> measure_latency(const std::vector<LatencyCase>& cases,
                                           const LatencyOptions& options);

/// Every combination of engine, batch and thread count for one graph, compared with the first engine
/// at the same batch and thread count.
std::vector<LatencyCase> latency_cases(std::shared_ptr<const inference::Graph> graph,
                                       const std::vector<inference::Engine>& engines,
                                       const std::vector<int>& batches,
                                       const std::vector<int>& threads);

}  // namespace edgeprune
