#pragma once
// A network in integers (engine/kernels/quantization.h) and how it is made from floats: ranges that
// were seen become scales.

#include <cstdint>
#include <vector>

#include "engine/inference/graph.h"
#include "engine/kernels/quantization.h"

namespace edgeprune::inference {

/// Values that a tensor was seen to have.
struct Range {
  float low = 0.0f, high = 0.0f;

  void widen(const float* values, int64_t count);
};

/// Of a graph's images and of every layer's output.
struct Ranges {
  Range images;
  std::vector<Range> outputs;
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

/// Rounds weights to the nearest. Throws std::invalid_argument naming a layer that integers do not know
/// (anything but convolutions that end in nothing, ReLU or ReLU6, and the average pool), on ranges that
/// are not finite, or are not of this graph, or of images that are all zero.
QuantizedGraph quantize(const Graph& graph, const Ranges& ranges);

/// The least and the greatest value of every tensor, as the float layers make them from images
/// [N,H,W,C] (normalised). Throws std::invalid_argument if there are none, or they are not what the
/// graph reads.
Ranges observe(const Graph& graph, const Tensor& images);

}  // namespace edgeprune::inference
