#pragma once
// A quantised network by the plain loops of kernels/reference: what the engine int8 has to equal, bit for bit.

#include <cstdint>
#include <vector>

#include "engine/inference/int8_graph.h"
#include "engine/kernels/reference/int8.h"

namespace edgeprune::inference {

/// What one image becomes.
struct PlainMaps {
  std::vector<std::vector<uint8_t>>
      maps;                   ///< the image's bytes, then what each layer but the last puts out
  std::vector<float> logits;  ///< of the last one
  std::vector<reference::Extremes> extremes;  ///< by layer

  const std::vector<uint8_t>& of(int layer) const { return maps[static_cast<size_t>(layer + 1)]; }
};
/// image [H,W,C], normalised. Throws std::invalid_argument, naming it, on a layer in floats.
PlainMaps int8_by_plain_loops(const QuantizedGraph& graph, const float* image);

/// What the sums of convolution `i` stand for, [H,W,C], before anything is added to them and they are rounded.
std::vector<float> int8_sums(const QuantizedGraph& graph, size_t i, const PlainMaps& maps);

}  // namespace edgeprune::inference
