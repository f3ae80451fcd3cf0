#pragma once
// Where an image's time goes, layer by layer, and how near each layer is to what the machine can
// do.

#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/measurement/latency_table.h"

namespace edgeprune {

/// What this machine can do at most (engine/kernels/simd/roofline.h), all threads together.
struct Limits {
  /// Data of up to so many bytes a thread (infinite for memory) moves at so many GB/s.
  struct Store {
    std::string name;  ///< "L2", "L3", "memory"
    double bytes = 0, gbs = 0;
  };
  double gflops = 0;
  std::vector<Store> stores;  ///< the last one is memory
};
/// Takes about a second.
Limits measure_limits(int threads);

/// The steps of one layer together.
struct LayerTime {
  std::string layer, kernel;  ///< the kernels of several steps are joined by " + "
  double ms = 0;              ///< an image
  double flops = 0, kernel_flops = 0, bytes = 0;  ///< as in inference::StepInfo
  std::vector<double> rounds = {};                ///< ms an image, round by round
};
/// In the order of each layer's first step.
std::vector<LayerTime> layer_times(const std::vector<StepTime>& steps);

/// The least time that a layer's work can take: that of its arithmetic at the machine's peak, or of
/// its bytes at the bandwidth of the nearest cache that they fit in, or of the memory.
struct LayerLimit {
  double ms = 0;     ///< 0: nothing is known of the work
  std::string name;  ///< "arithmetic", "L2", "L3", "memory" or ""
};
LayerLimit limit_of(const LayerTime& time, const Limits& limits);

/// For programs: a row for each layer of each latency, and one for "all layers".
Table layer_records(const std::vector<ModelLatency>& latencies, const Machine& machine);

/// For people: for each model, batch and thread count a Markdown table, engines side by side, and
/// the three layers of each engine that lose most time to their limit.
std::string layer_report(const std::vector<ModelLatency>& latencies);

}  // namespace edgeprune
