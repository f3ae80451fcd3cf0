#pragma once
// A network in integers (engine/kernels/quantization.h) and how it is made from floats: ranges that
// were seen become scales.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/inference/graph.h"
#include "engine/kernels/quantization.h"

namespace edgeprune::inference {

/// Of a graph's images and of every layer's output, and by layer the scales of its weights' rows (none of
/// layers without weights). The last layer's output stays float: its grid is not read.
struct Grids {
  Grid images;
  std::vector<Grid> outputs;
  std::vector<std::vector<float>> weight_scales;
};

/// A layer of a graph: float weights stand for scales[o] * weights, bias for input scale * scales[o] *
/// bias.
struct QuantizedLayer {
  Layer::Kind kind;
  std::string name;
  Conv2dShape shape;
  int input;                         ///< the layer that it reads, -1: the images
  int residual = -1;                 ///< the layer whose output is added, -1: none
  Grid output;                       ///< unused of the last layer, whose output are float logits
  std::vector<int8_t> weights = {};  ///< [O,I/groups,k,k]
  std::vector<float> scales = {};    ///< [O]
  std::vector<int32_t> bias = {};    ///< [O]
};

struct QuantizedGraph {
  Grid images;
  std::vector<QuantizedLayer> layers;  ///< the last one a 1x1 convolution

  const Grid& grid_of(int layer) const {
    return layer < 0 ? images : layers[static_cast<size_t>(layer)].output;
  }
};

/// The scale of a row of weights: the largest is kHighWeight, unless the bias would then not fit 32 bits (a
/// row of next to no weights). 1 if all are zero.
float row_scale(std::span<const float> row, float bias, float input_scale);

/// Rounds weights to the nearest. Throws std::invalid_argument naming a layer that integers do not know
/// (anything but convolutions that end in nothing, ReLU or ReLU6, and the average pool), that has a number
/// which is not finite, or whose grids are missing.
QuantizedGraph quantize(const Graph& graph, const Grids& grids);

}  // namespace edgeprune::inference
