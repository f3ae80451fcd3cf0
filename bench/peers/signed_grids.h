#pragma once
// A quantised network's grids as XNNPACK takes them: bytes with sign, each map's own, all 256 steps.

#include <cstdint>
#include <map>

#include "engine/inference/int8_graph.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::bench {

/// The whole number q, from -128 to 127, stands for scale * (q - zero_point).
struct SignedGrid {
  float scale = 1;
  int32_t zero_point = 0;
};

/// All 256 steps of the range that a grid has in 256 or, behind ReLU6, in 128.
SignedGrid signed_grid(const Grid& grid);

/// By layer the grid of what a convolution puts out before a residual is added: XNNPACK rounds that, edgeprune the sum
/// alone. Ranges are those on the first images.
std::map<size_t, SignedGrid> grids_on_images(const inference::QuantizedGraph& graph,
                                             const Tensor& images);

}  // namespace edgeprune::bench
