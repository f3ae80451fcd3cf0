#include "models/fold.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

using inference::Layer;

/// A module that was made for node `node`.
template <typename Module>
const nn::Placed<Module>& module_of(const nn::Network::Layers<Module>& modules, size_t node) {
  return **std::find_if(modules.begin(), modules.end(),
                        [&](const auto& module) { return module->node == node; });
}

/// What a batch norm does in evaluation becomes part of the layer before it.
void fold_into(Tensor& weight, Tensor& bias, const nn::BatchNorm2d& norm) {
  const int64_t channels = weight.dim(0), per_channel = weight.count() / channels;
  for (int64_t o = 0; o < channels; ++o) {
    const double scale = norm.weight.value().data()[o] /
                         std::sqrt(double(norm.state.running_var.data()[o]) + norm.state.eps);
    for (int64_t k = 0; k < per_channel; ++k) {
      float& w = weight.data()[o * per_channel + k];
      w = static_cast<float>(w * scale);
    }
    const double mean = double(norm.state.running_mean.data()[o]) - bias.data()[o];
    bias.data()[o] = static_cast<float>(norm.bias.value().data()[o] - mean * scale);
  }
}

/// Has a convolution say that it has a bias; false for other kinds.
bool give_bias(Kind& kind) {
  const auto give = [](auto& convolution) { return convolution.bias = true; };
  if (auto* dense = std::get_if<kind::Convolution>(&kind)) return give(*dense);
  if (auto* depthwise = std::get_if<kind::Depthwise>(&kind)) return give(*depthwise);
  return false;
}

/// Puts one layer after the other. A node that becomes part of a layer before it has that layer's
/// output.
class Folding {
 public:
  explicit Folding(const nn::Network& model)
      : model_(model), nodes_(model.graph().nodes), readers_(readers_of(model.graph())) {
    run();
  }

  inference::Graph graph;
  std::vector<int> layer_of;  ///< by node

 private:
  static constexpr int kImages = -1;

  void run() {
    layer_of.assign(nodes_.size(), kImages);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      layer_of[i] =
          std::visit(overloaded{
                         [&](const kind::Input&) { return kImages; },
                         [&](const kind::Convolution&) { return convolution(i); },
                         [&](const kind::Depthwise&) { return convolution(i); },
                         [&](const kind::BatchNorm&) { return norm(i); },
                         [&](const kind::Activate& k) { return fuse_activation(i, k.activation); },
                         [&](const kind::Add&) { return fuse_sum(i); },
                         [&](const kind::Multiply&) { return multiply(i); },
                         [&](const kind::MaxPool& k) { return max_pool(i, k); },
                         [&](const kind::GlobalAveragePool&) { return pool(i); },
                         [&](const kind::Dropout&) { return layer_of[nodes_[i].inputs[0]]; },
                         [&](const kind::Linear&) { return linear(i); },
                     },
                     nodes_[i].kind);
    }
  }

  int append(size_t node, Layer layer) {
    layer.input = layer_of[nodes_[node].inputs[0]];
    graph.layers.push_back(std::move(layer));
    return static_cast<int>(graph.layers.size()) - 1;
  }

  /// The layer that puts out what `node` does, if it is a convolution, has no activation yet and
  /// nobody but one node reads it: then that one can become part of it.
  Layer* open_layer(size_t node) {
    if (layer_of[node] == kImages || readers_[node].size() != 1) return nullptr;
    if (std::holds_alternative<kind::Dropout>(nodes_[node].kind)) {
      return open_layer(nodes_[node].inputs[0]);
    }
    Layer& layer = graph.layers[static_cast<size_t>(layer_of[node])];
    const bool open =
        layer.kind == Layer::Kind::convolution && layer.activation == Activation::none;
    return open ? &layer : nullptr;
  }

  /// A layer adds to, or multiplies, what another one puts out.
  void refuse_images(size_t node) const {
    for (const size_t input : nodes_[node].inputs) {
      require(layer_of[input] != kImages, "fold",
              "node '{}' ({}) reads the images {}: expected outputs of layers", nodes_[node].name,
              name_of(nodes_[node].kind), model_.shapes()[input].to_string());
    }
  }

  int convolution(size_t i) {
    const auto& conv = module_of(model_.convolutions(), i);
    return append(i, {.name = conv.name,
                      .shape = conv.shape,
                      .weight = conv.weight.value().clone(),
                      .bias = conv.bias.defined() ? conv.bias.value().clone()
                                                  : Tensor({conv.shape.out_channels}, 0.0f)});
  }

  /// One that without_batch_norm() left: a factor and a bias for each channel.
  int norm(size_t i) {
    Conv2dShape shape = map_of(nodes_[i].inputs[0]);
    const int64_t channels = shape.groups = shape.in_channels;
    Layer layer{.name = nodes_[i].name,
                .shape = shape,
                .weight = Tensor({channels, 1, 1, 1}, 1.0f),
                .bias = Tensor({channels}, 0.0f)};
    fold_into(layer.weight, layer.bias, module_of(model_.norms(), i));
    return append(i, std::move(layer));
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
    return layer_of[input];
  }

  /// The later one of two convolutions adds the other's output. Kernels of depthwise ones cannot.
  int fuse_sum(size_t i) {
    const auto [low, high] =
        std::minmax({nodes_[i].inputs[0], nodes_[i].inputs[1]},
                    [&](size_t a, size_t b) { return layer_of[a] < layer_of[b]; });
    refuse_images(i);
    Layer* const layer = open_layer(high);
    const bool fits = layer != nullptr && layer->residual < 0 && layer->shape.groups == 1 &&
                      layer_of[low] != layer_of[high];
    if (fits) {
      layer->residual = layer_of[low];
      return layer_of[high];
    }
    return append(i, {.kind = Layer::Kind::activation,
                      .name = nodes_[i].name,
                      .shape = map_of(high),
                      .weight = {},
                      .bias = {},
                      .residual = layer_of[nodes_[i].inputs[1]]});
  }

  int multiply(size_t i) {
    refuse_images(i);
    return append(i, {.kind = Layer::Kind::multiply,
                      .name = nodes_[i].name,
                      .shape = map_of(nodes_[i].inputs[0]),
                      .weight = {},
                      .bias = {},
                      .residual = layer_of[nodes_[i].inputs[1]]});
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
    const auto& linear = module_of(model_.linears(), i);
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
};

}  // namespace

std::unique_ptr<nn::Network> without_batch_norm(const nn::Network& model) {
  const std::vector<Node>& nodes = model.graph().nodes;
  const auto readers = readers_of(model.graph());
  Graph graph{model.graph().network, model.graph().width, {}};
  auto arrays = model.state_dict();
  std::vector<size_t> moved(nodes.size());        // by node: its output's node in the new graph
  std::vector<std::pair<size_t, size_t>> folded;  // convolutions and their norms, of the old graph
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node node = nodes[i];
    const auto* const norm = std::get_if<kind::BatchNorm>(&node.kind);
    if (norm != nullptr && readers[node.inputs[0]].size() == 1 &&
        give_bias(graph.nodes[moved[node.inputs[0]]].kind)) {
      moved[i] = moved[node.inputs[0]];
      folded.emplace_back(node.inputs[0], i);
      for (const auto& [name, array] : module_of(model.norms(), i).state_dict()) {
        arrays.erase(node.name + "." + name);
      }
      continue;
    }
    for (size_t& input : node.inputs) input = moved[input];
    moved[i] = graph.append(std::move(node.name), node.kind, std::move(node.inputs));
  }
  for (const auto& [convolution, norm] : folded) {
    const auto& module = module_of(model.convolutions(), convolution);
    Tensor weight = module.weight.value().clone();
    Tensor bias = module.bias.defined() ? module.bias.value().clone()
                                        : Tensor({module.shape.out_channels}, 0.0f);
    fold_into(weight, bias, module_of(model.norms(), norm));
    arrays[module.name + ".weight"] = Array::from(weight);
    arrays[module.name + ".bias"] = Array::from(bias);
  }
  auto result = std::make_unique<nn::Network>(std::move(graph));
  result->load_state_dict(arrays);
  result->train(model.training());
  return result;
}

Folded folded(const nn::Network& model) {
  Folding folding(model);
  return {std::move(folding.graph), std::move(folding.layer_of)};
}

inference::Graph fold_batch_norm(const nn::Network& model) {
  return folded(*without_batch_norm(model)).graph;
}

}  // namespace edgeprune
