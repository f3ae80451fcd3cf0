#pragma once
// What this machine can do at most, and so the least time that a layer can take.

#include <string>
#include <vector>

namespace edgeprune {

/// The steps of one layer together.
struct LayerTime {
  std::string layer, kernel;  ///< the kernels of several steps are joined by " + "
  double ms = 0;              ///< an image
  double flops = 0, kernel_flops = 0, bytes = 0;  ///< as in inference::StepInfo
  std::vector<double> rounds = {};                ///< ms an image, round by round
  bool integers = false;                          ///< likewise
  double weight_share = 0;                        ///< likewise
  double all_weights = 0;  ///< bytes of the whole network's, which are read in turn, run after run
};
/// What this machine can do at most (engine/kernels/simd/roofline.h), all threads together.
struct Limits {
  /// Data of up to so many bytes a thread (infinite for memory) moves at so many GB/s.
  struct Store {
    std::string name;  ///< "L1", "L2", "L3", "memory"
    double bytes = 0, gbs = 0;
  };
  double gflops = 0;
  /// Of integers (engine/kernels/int8/peak.h), in the way of multiplying that is in use; at least the floats'.
  double integer_gflops = 0;
  std::vector<Store> stores;  ///< the last one is memory
};

/// The best that was ever seen on this machine with so many threads: measured once a process, which
/// takes about a second, and kept between them (kernel_cache.h). A single measurement falls short
/// whenever something else is at work.
Limits best_limits(int threads);

/// A layer that was faster than a limit shows that the limit is higher: it is raised to what the
/// layer did, so that nothing exceeds it.
void raise_limits(const LayerTime& time, int threads);

/// The least time that a layer's work can take: that of its arithmetic at the machine's peak, or of
/// its bytes at the bandwidth of the nearest cache that they fit in, or of the memory; or that of its
/// weights from where the whole network's fit, as those of other layers have taken their place since.
struct LayerLimit {
  double ms = 0;     ///< 0: nothing is known of the work
  std::string name;  ///< "arithmetic", "L1", "L2", "L3", "memory", "weights from L3", ... or ""
};
LayerLimit limit_of(const LayerTime& time, const Limits& limits);

}  // namespace edgeprune
