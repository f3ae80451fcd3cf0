#pragma once
// A network in integers (engine/kernels/quantization.h) and how it is made from floats: ranges that
// were seen become scales.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/inference/graph.h"
#include "engine/kernels/quantization.h"

namespace edgeprune::inference {

/// Of a graph's images and of every layer's output, and by layer the scales of its weights' rows: none of layers
/// without weights, and of those that stay in floats. Grids are read of what integers read or put out; the last
/// layer's logits are floats.
struct Grids {
  Grid images;
  std::vector<Grid> outputs;
  std::vector<std::vector<float>> weight_scales;
};

/// A layer of a graph: float weights stand for scales[o] * weights, bias for input scale * scales[o] *
/// bias.
struct QuantizedLayer {
  bool
      integers;  ///< else it runs in floats, between integers, and has but the map that it hands on
  Layer::Kind kind;
  std::string name;
  Conv2dShape shape;
  int input;          ///< the layer that it reads, -1: the images
  int residual = -1;  ///< the layer whose output is added (multiply: the factors'), -1: none
  Grid output;        ///< of bytes that it puts out, or that its floats become
  Activation activation = Activation::none;  ///< that integers end in
  std::vector<int8_t> weights = {};          ///< [O,I/groups,k,k]
  std::vector<float> scales = {};            ///< [O]
  std::vector<int32_t> bias = {};            ///< [O]
};

struct QuantizedGraph {
  Grid images;
  std::vector<QuantizedLayer> layers;  ///< the last one puts out float logits

  const Grid& grid_of(int layer) const {
    return layer < 0 ? images : layers[static_cast<size_t>(layer)].output;
  }
};

/// The scale of a row of weights: the largest is kHighWeight, unless the bias would then not fit 32 bits (a
/// row of next to no weights). 1 if all are zero.
float row_scale(std::span<const float> row, float bias, float input_scale);

/// Why no integer kernel can run the layer, as "adds a residual"; empty: one can.
std::string unknown_to_integers(const Graph& graph, size_t layer);

/// By layer, whether it runs in integers: of layers with weights those that have `scales`, of the others those
/// that integers know, that are not the last one and read nothing but what integers put out.
std::vector<bool> layers_in_integers(const Graph& graph, const std::vector<bool>& scales);

/// Rounds the weights that have scales to the nearest. Throws std::invalid_argument naming a layer that has scales
/// and that integers do not know, that has a number which is not finite, or whose grids are missing.
QuantizedGraph quantize(const Graph& graph, const Grids& grids);

}  // namespace edgeprune::inference
