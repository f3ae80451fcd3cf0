#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kernels/conv2d_shape.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::inference {

/// One step of a trained network: a convolution (a linear layer is one on a 1x1 map) with batch
/// norm folded in, or what has no weights.
struct Layer {
  enum class Kind {
    convolution,
    global_average_pool,
    max_pool,
    multiply,    ///< of each channel by one factor, what layer `residual` puts out
    activation,  ///< of the input, or of its sum with what layer `residual` puts out
  };
  Kind kind = Kind::convolution;
  std::string name;
  Conv2dShape shape;  ///< batch 1; kernel, stride and padding only of convolutions and max_pool
  Tensor weight;      ///< [O,I/groups,k,k]; undefined for all but convolutions
  Tensor bias;        ///< [O]; likewise
  Activation activation = Activation::none;
  /// Index of the layer whose output is added before the activation (multiply: the factors'); -1:
  /// none.
  int residual = -1;
  /// Index of the layer that it reads, -1: the images. None: the layer before it.
  std::optional<int> input = {};

  /// A 1x1 convolution or a linear layer.
  bool pointwise() const { return kind == Kind::convolution && shape.pointwise(); }
  /// Share of the weights that are zero.
  double zeros() const {
    const auto values = weight.values();
    return double(std::count(values.begin(), values.end(), 0.0f)) / double(values.size());
  }
};

struct QuantizedGraph;

/// A trained network without autograd: what a Plan is made from.
struct Graph {
  std::vector<Layer> layers;  ///< never empty; the last one's output are the logits
  /// The same layers in integers (int8_graph.h), which the engine `int8` runs. Null: a network in floats.
  std::shared_ptr<const QuantizedGraph> integers = nullptr;

  /// Of layer i: the layer that it reads, -1: the images.
  int input_of(size_t i) const { return layers[i].input.value_or(static_cast<int>(i) - 1); }
  /// Whether `count` layers from i on are a chain: each reads the one before it, which nobody else
  /// reads, and only the last one may add or multiply with something.
  bool in_line(size_t i, size_t count) const {
    const size_t last = i + count - 1;
    if (last >= layers.size()) return false;
    const auto inside = [&](int layer) {
      return layer >= static_cast<int>(i) && layer < static_cast<int>(last);
    };
    for (size_t j = 0; j < layers.size(); ++j) {
      const bool next = j > i && j <= last;  // reads the one before it
      if (next ? input_of(j) + 1 != static_cast<int>(j) : inside(input_of(j))) return false;
      if (inside(layers[j].residual)) return false;
      if (inside(static_cast<int>(j)) && layers[j].residual >= 0) return false;
    }
    return true;
  }
};

}  // namespace edgeprune::inference
