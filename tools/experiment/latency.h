#pragma once
// Latency of models on engines, all measured in one interleaved run, so that what disturbs the
// machine disturbs all alike.

#include <memory>
#include <string>
#include <vector>

#include "engine/inference/plan.h"
#include "tools/experiment/records.h"

namespace edgeprune {

/// One thing to measure.
struct LatencyCase {
  std::shared_ptr<const inference::Graph> graph;
  inference::Engine engine = inference::Engine::dense;
  int batch = 1;
  int threads = 1;
};

struct LatencyOptions {
  double seconds = 3;    ///< at least so long a case...
  int64_t samples = 50;  ///< ...and at least so many samples
  int64_t warmup = 5;    ///< runs before the first sample
  double min_sample_ms =
      1;  ///< a sample repeats the run until it takes so long: a clock reading costs too
};

/// Cases take turns, a sample each. Inputs are random images. The results are in the order of the
/// cases, in milliseconds per image. Throws std::runtime_error naming a case that memory does not
/// suffice for, Interrupted on Ctrl-C.
std::vector<LatencyCell> measure_latency(const std::vector<LatencyCase>& cases,
                                         const LatencyOptions& options);

/// Every combination of engine, batch and thread count for one graph.
std::vector<LatencyCase> latency_cases(std::shared_ptr<const inference::Graph> graph,
                                       const std::vector<inference::Engine>& engines,
                                       const std::vector<int>& batches,
                                       const std::vector<int>& threads);

}  // namespace edgeprune
