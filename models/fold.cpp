#include "models/fold.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

using inference::Layer;

/// Puts one layer after the other. A node that becomes part of a layer before it has that layer's
/// output.
class Folding {
 public:
  explicit Folding(const nn::Network& model)
      : model_(model), nodes_(model.graph().nodes), readers_(readers_of(model.graph())) {}

  inference::Graph run() {
    layer_of_.assign(nodes_.size(), kImages);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      layer_of_[i] =
          std::visit(overloaded{
                         [&](const kind::Input&) { return kImages; },
                         [&](const kind::Convolution&) { return convolution(i); },
                         [&](const kind::Depthwise&) { return convolution(i); },
                         [&](const kind::BatchNorm&) { return fold_norm(i); },
                         [&](const kind::Activate& k) { return fuse_activation(i, k.activation); },
                         [&](const kind::Add&) { return fuse_sum(i); },
                         [&](const kind::Multiply&) { return multiply(i); },
                         [&](const kind::MaxPool& k) { return max_pool(i, k); },
                         [&](const kind::GlobalAveragePool&) { return pool(i); },
                         [&](const kind::Dropout&) { return layer_of_[nodes_[i].inputs[0]]; },
                         [&](const kind::Linear&) { return linear(i); },
                     },
                     nodes_[i].kind);
    }
    return std::move(graph_);
  }

 private:
  static constexpr int kImages = -1;

  template <typename Module>
  static const nn::Placed<Module>& find(const nn::Network::Layers<Module>& layers, size_t node) {
    return **std::find_if(layers.begin(), layers.end(),
                          [&](const auto& layer) { return layer->node == node; });
  }

  int append(size_t node, Layer layer) {
    layer.input = layer_of_[nodes_[node].inputs[0]];
    graph_.layers.push_back(std::move(layer));
    return static_cast<int>(graph_.layers.size()) - 1;
  }

  /// The layer that puts out what `node` does, if it is a convolution, has no activation yet and
  /// nobody but one node reads it: then that one can become part of it.
  Layer* open_layer(size_t node) {
    if (layer_of_[node] == kImages || readers_[node].size() != 1) return nullptr;
    if (std::holds_alternative<kind::Dropout>(nodes_[node].kind)) {
      return open_layer(nodes_[node].inputs[0]);
    }
    Layer& layer = graph_.layers[static_cast<size_t>(layer_of_[node])];
    const bool open =
        layer.kind == Layer::Kind::convolution && layer.activation == Activation::none;
    return open ? &layer : nullptr;
  }

  /// A layer adds to, or multiplies, what another one puts out.
  void refuse_images(size_t node) const {
    for (const size_t input : nodes_[node].inputs) {
      require(layer_of_[input] != kImages, "fold",
              "node '{}' ({}) reads the images {}: expected outputs of layers", nodes_[node].name,
              name_of(nodes_[node].kind), model_.shapes()[input].to_string());
    }
  }

  int convolution(size_t i) {
    const auto& conv = find<nn::Conv2d>(model_.convolutions(), i);
    return append(i, {.name = conv.name,
                      .shape = conv.shape,
                      .weight = conv.weight.value().clone(),
                      .bias = conv.bias.defined() ? conv.bias.value().clone()
                                                  : Tensor({conv.shape.out_channels}, 0.0f)});
  }

  /// Behind anything but a convolution that nothing else reads, batch norm is one of its own: a factor
  /// and a bias for each channel.
  int fold_norm(size_t i) {
    const size_t input = nodes_[i].inputs[0];
    Layer* layer = open_layer(input);
    int index = layer_of_[input];
    if (layer == nullptr || layer->residual >= 0) {
      Conv2dShape shape = map_of(input);
      const int64_t channels = shape.groups = shape.in_channels;
      index = append(i, {.name = nodes_[i].name,
                         .shape = shape,
                         .weight = Tensor({channels, 1, 1, 1}, 1.0f),
                         .bias = Tensor({channels}, 0.0f)});
      layer = &graph_.layers.back();
    }
    const auto& norm = find<nn::BatchNorm2d>(model_.norms(), i);
    const int64_t channels = layer->shape.out_channels,
                  per_channel = layer->weight.count() / channels;
    for (int64_t o = 0; o < channels; ++o) {
      const double scale = norm.weight.value().data()[o] /
                           std::sqrt(double(norm.state.running_var.data()[o]) + norm.state.eps);
      for (int64_t k = 0; k < per_channel; ++k) {
        float& w = layer->weight.data()[o * per_channel + k];
        w = static_cast<float>(w * scale);
      }
      const double mean = double(norm.state.running_mean.data()[o]) - layer->bias.data()[o];
      layer->bias.data()[o] = static_cast<float>(norm.bias.value().data()[o] - mean * scale);
    }
    return index;
  }

  int fuse_activation(size_t i, Activation activation) {
    const size_t input = nodes_[i].inputs[0];
    Layer* const layer = open_layer(input);
    if (layer == nullptr) {
      return append(i, {.kind = Layer::Kind::activation,
                        .name = nodes_[i].name,
                        .shape = map_of(input),
                        .weight = {},
                        .bias = {},
                        .activation = activation});
    }
    layer->activation = activation;
    return layer_of_[input];
  }

  /// The later one of two convolutions adds the other's output. Kernels of depthwise ones cannot.
  int fuse_sum(size_t i) {
    const auto [low, high] =
        std::minmax({nodes_[i].inputs[0], nodes_[i].inputs[1]},
                    [&](size_t a, size_t b) { return layer_of_[a] < layer_of_[b]; });
    refuse_images(i);
    Layer* const layer = open_layer(high);
    const bool fits = layer != nullptr && layer->residual < 0 && layer->shape.groups == 1 &&
                      layer_of_[low] != layer_of_[high];
    if (fits) {
      layer->residual = layer_of_[low];
      return layer_of_[high];
    }
    return append(i, {.kind = Layer::Kind::activation,
                      .name = nodes_[i].name,
                      .shape = map_of(high),
                      .weight = {},
                      .bias = {},
                      .residual = layer_of_[nodes_[i].inputs[1]]});
  }

  int multiply(size_t i) {
    refuse_images(i);
    return append(i, {.kind = Layer::Kind::multiply,
                      .name = nodes_[i].name,
                      .shape = map_of(nodes_[i].inputs[0]),
                      .weight = {},
                      .bias = {},
                      .residual = layer_of_[nodes_[i].inputs[1]]});
  }

  int pool(size_t i) {
    return append(i, {.kind = Layer::Kind::global_average_pool,
                      .name = nodes_[i].name,
                      .shape = map_of(nodes_[i].inputs[0]),
                      .weight = {},
                      .bias = {}});
  }

  int max_pool(size_t i, const kind::MaxPool& k) {
    Conv2dShape shape = map_of(nodes_[i].inputs[0]);
    shape.kernel = k.kernel;
    shape.stride = k.stride;
    shape.padding = k.padding;
    return append(i, {.kind = Layer::Kind::max_pool,
                      .name = nodes_[i].name,
                      .shape = shape,
                      .weight = {},
                      .bias = {}});
  }

  /// A node's output as the shape of a layer that changes nothing.
  Conv2dShape map_of(size_t node) const {
    const auto& [channels, height, width] = model_.shapes()[node];
    return {
        .in_height = height, .in_width = width, .in_channels = channels, .out_channels = channels};
  }

  int linear(size_t i) {
    const auto& linear = find<nn::Linear>(model_.linears(), i);
    const Conv2dShape& shape = linear.shape;
    return append(i, {.name = linear.name,
                      .shape = shape,
                      .weight = linear.weight.value().clone().reshape(
                          {shape.out_channels, shape.in_channels, 1, 1}),
                      .bias = linear.bias.value().clone()});
  }

  const nn::Network& model_;
  const std::vector<Node>& nodes_;
  const std::vector<std::vector<size_t>> readers_;
  std::vector<int> layer_of_;  ///< by node
  inference::Graph graph_;
};

}  // namespace

inference::Graph fold_batch_norm(const nn::Network& model) {
  return Folding(model).run();
}

}  // namespace edgeprune
