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
  GraphBuilder& depthwise(int64_t stride) {
    return conv(channels_, 3, stride, channels_, Activation::relu6);
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
