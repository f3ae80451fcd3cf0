#pragma once

#include <algorithm>
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

  /// A 1x1 convolution or a linear layer: what there are sparse kernels for.
  bool pointwise() const { return kind == Kind::convolution && shape.pointwise(); }
  /// Share of the weights that are zero.
  double zeros() const {
    const auto values = weight.values();
    return double(std::count(values.begin(), values.end(), 0.0f)) / double(values.size());
  }
};

/// A trained network without autograd: what a Plan is made from.
struct Graph {
  std::vector<Layer> layers;  ///< never empty; the last one's output are the logits

  /// Of layer i: the layer that it reads, -1: the images.
  int input_of(size_t i) const { return layers[i].input.value_or(static_cast<int>(i) - 1); }
};

}  // namespace edgeprune::inference
