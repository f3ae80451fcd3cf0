#pragma once
// Small random graphs for tests of inference.

#include <algorithm>
#include <string>

#include "engine/inference/assignment.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

using inference::Graph;
using inference::Layer;

/// Builds graphs layer by layer, each fitting the one before.
class GraphBuilder {
 public:
  GraphBuilder(int64_t size, int64_t channels) : size_(size), channels_(channels) {}

  GraphBuilder& conv(int64_t out, int64_t kernel, int64_t stride, int64_t groups,
                     Activation activation, int residual = -1) {
    const Conv2dShape shape{.in_height = size_,
                            .in_width = size_,
                            .in_channels = channels_,
                            .out_channels = out,
                            .kernel = kernel,
                            .stride = stride,
                            .padding = kernel / 2,
                            .groups = groups};
    const uint64_t seed = graph_.layers.size() + 1;
    graph_.layers.push_back(
        {.name = "layer" + std::to_string(graph_.layers.size()),
         .shape = shape,
         .weight = random_sparse_tensor({out, channels_ / groups, kernel, kernel}, seed, 0.5),
         .bias = random_tensor({out}, seed + 100),
         .activation = activation,
         .residual = residual});
    size_ = shape.out_height();
    channels_ = out;
    return *this;
  }
  GraphBuilder& pointwise(int64_t out, Activation activation, int residual = -1) {
    return conv(out, 1, 1, 1, activation, residual);
  }
  GraphBuilder& depthwise(int64_t stride, int64_t kernel = 3,
                          Activation activation = Activation::relu6) {
    return conv(channels_, kernel, stride, channels_, activation);
  }
  /// Squeeze-and-excite: a factor for each channel, of the means of all.
  GraphBuilder& excite(int64_t squeezed) {
    const int64_t size = size_, channels = channels_;
    const int map = static_cast<int>(graph_.layers.size()) - 1;
    pool().pointwise(squeezed, Activation::relu).pointwise(channels, Activation::hard_sigmoid);
    graph_.layers.push_back({.kind = Layer::Kind::multiply,
                             .name = "multiply" + std::to_string(graph_.layers.size()),
                             .shape = {.in_height = size,
                                       .in_width = size,
                                       .in_channels = channels,
                                       .out_channels = channels},
                             .weight = {},
                             .bias = {},
                             .residual = map + 3,
                             .input = map});
    size_ = size;
    return *this;
  }
  GraphBuilder& pool() {
    graph_.layers.push_back({.kind = Layer::Kind::global_average_pool,
                             .name = "pool",
                             .shape = {.in_height = size_,
                                       .in_width = size_,
                                       .in_channels = channels_,
                                       .out_channels = channels_},
                             .weight = {},
                             .bias = {}});
    size_ = 1;
    return *this;
  }
  Graph build() const { return graph_; }

 private:
  int64_t size_, channels_;
  Graph graph_;
};

/// Stem, two inverted residual blocks (stride 1 with residual, stride 2), pool and head; channels
/// that are no multiple of anything.
inline Graph small_network() {
  return GraphBuilder(13, 3)
      .conv(7, 3, 2, 1, Activation::relu6)  // 0: 7x7
      .pointwise(19, Activation::relu6)     // 1
      .depthwise(1)                         // 2
      .pointwise(9, Activation::none)       // 3
      .pointwise(21, Activation::relu6)     // 4
      .depthwise(1)                         // 5
      .pointwise(9, Activation::none, 3)    // 6: adds 3
      .pointwise(33, Activation::relu6)     // 7
      .depthwise(2)                         // 8: 4x4
      .pointwise(17, Activation::relu6)     // 9
      .pool()                               // 10
      .pointwise(5, Activation::none)       // 11
      .build();
}

/// Maps of 16x16, 8x8 and 4x4: a plan for a batch runs the first image by image and the last
/// several images at a time. The last residual would cross the first cut that offers itself.
inline Graph network_of_two_stages() {
  return GraphBuilder(31, 3)
      .conv(7, 3, 2, 1, Activation::relu6)  // 0: 16x16
      .depthwise(1)                         // 1
      .pointwise(9, Activation::none)       // 2
      .pointwise(21, Activation::relu6)     // 3
      .depthwise(2)                         // 4: 8x8
      .pointwise(8, Activation::none)       // 5
      .pointwise(19, Activation::relu6)     // 6
      .depthwise(1)                         // 7
      .pointwise(8, Activation::none, 5)    // 8: adds 5
      .pointwise(33, Activation::relu6)     // 9
      .depthwise(2)                         // 10: 4x4
      .pointwise(17, Activation::relu6)     // 11
      .pointwise(17, Activation::relu6)     // 12
      .pointwise(17, Activation::none, 11)  // 13: adds 11
      .depthwise(2)                         // 14: 2x2
      .pointwise(5, Activation::none)       // 15
      .pool()
      .pointwise(6, Activation::none)
      .build();
}

/// As MobileNetV3: 5x5 depthwise layers, hard_swish, squeeze-and-excite behind it and behind ReLU.
inline Graph gated_network() {
  return GraphBuilder(25, 3)
      .conv(16, 3, 2, 1, Activation::hard_swish)  // 0: 13x13
      .depthwise(2, 3, Activation::relu)          // 1: 7x7
      .excite(8)                                  // 2 to 5
      .pointwise(24, Activation::none)            // 6
      .pointwise(40, Activation::hard_swish)      // 7
      .depthwise(1, 5, Activation::hard_swish)    // 8
      .excite(12)                                 // 9 to 12
      .pointwise(24, Activation::none, 6)         // 13: adds 6
      .pointwise(72, Activation::hard_swish)      // 14
      .depthwise(2, 5, Activation::hard_swish)    // 15: 4x4
      .pointwise(33, Activation::hard_swish)      // 16
      .pool()                                     // 17
      .pointwise(20, Activation::hard_swish)      // 18
      .pointwise(5, Activation::none)             // 19
      .build();
}

/// The row of that name.
inline const inference::Kernel& kernel_named(const std::string& name) {
  const auto table = inference::kernel_table();
  return *std::ranges::find(table, name, &inference::Kernel::name);
}

/// Gives a layer on panels a kernel of its own; a block that it was in runs layer by layer.
inline void run_alone(const Graph& graph, size_t layer, const std::string& kernel,
                      inference::Assignment& assignment) {
  size_t first = layer;
  while (assignment.kernels[first] == nullptr) --first;
  const size_t end = first + assignment.kernels[first]->layers;
  for (size_t i = first; i < end && end > first + 1; ++i) {
    assignment.kernels[i] = &kernel_named(graph.layers[i].pointwise() ? "dense" : "panels");
  }
  assignment.kernels[layer] = &kernel_named(kernel);
}

}  // namespace edgeprune::testing
