#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/inference/graph.h"

namespace edgeprune::inference {

/// What a 1x1 layer takes on each kernel, in seconds an image.
struct KernelTimes {
  double dense = 0, sparse = 0;
};

/// Dense or sparse, layer by layer, by timing both on this machine. Both read and write the same
/// layout, so that a choice costs nothing between layers. A layer leaves the kernel on which the
/// whole network is faster only if it gains more than the noise of timing.
class KernelChoices {
 public:
  /// Whether each layer of the graph is to run on sparse weights, with that batch on the threads in
  /// force. If times are missing, the whole network runs a few times on either kernel, in turns, so
  /// that every layer finds its weights and inputs in the caches as it would in earnest; medians
  /// are kept.
  std::vector<bool> choose(const Graph& graph, int64_t batch);

  /// What is known, by layer: its shape, share of zeros, batch and threads ("160x960 at 2x2, 83 %
  /// zeros, batch 1, 1 thread"). May be filled from a file.
  std::map<std::string, KernelTimes> times;

  /// The key in `times`; "" for a layer that has no choice.
  static std::string key(const Layer& layer, int64_t batch, int threads);
};

}  // namespace edgeprune::inference
