#include "models/quantization.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"
#include "engine/kernels/quantization.h"
#include "engine/ops/fake_quantize.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

constexpr const char *kGridsKey = "quantization", *kWeight = ".weight", *kScale = "_scale";

Grid weight_grid(float scale) {
  return {scale, 0, -kHighWeight, kHighWeight};
}

std::map<std::string, nlohmann::json> parsed(const std::string& text) {
  try {
    return parse_json(text, "no grids").get<std::map<std::string, nlohmann::json>>();
  } catch (const std::exception& error) {
    require(false, "quantization", "metadata '{}': {}", kGridsKey, error.what());
  }
  return {};
}

Grid grid_of(const std::string& node, const nlohmann::json& values) {
  Grid grid;
  values.at("scale").get_to(grid.scale);
  values.at("zero_point").get_to(grid.zero_point);
  values.at("lowest").get_to(grid.lowest);
  values.at("highest").get_to(grid.highest);
  require(std::isfinite(grid.scale) && grid.scale > 0 && 0 <= grid.lowest &&
              grid.lowest <= grid.zero_point && grid.zero_point <= grid.highest &&
              grid.highest <= 255,
          "quantization", "the grid of node '{}' is none of bytes: scale {}, {} to {} about {}",
          printable(node), grid.scale, grid.lowest, grid.highest, grid.zero_point);
  return grid;
}

const Grid& grid_at(const Quantization& quantization, const std::string& node) {
  const auto found = quantization.outputs.find(node);
  require(found != quantization.outputs.end(), "quantization", "node '{}' has no grid", node);
  return found->second;
}

/// The grid of what a layer reads: the last one before it, as a dropout has none of its own.
const Grid& input_grid(const nn::Network& network, const Quantization& quantization, size_t node) {
  const std::vector<Node>& nodes = network.graph().nodes;
  size_t input = nodes[node].inputs[0];
  while (!quantization.outputs.contains(nodes[input].name) && !nodes[input].inputs.empty()) {
    input = nodes[input].inputs[0];
  }
  return grid_at(quantization, nodes[input].name);
}

void for_each_layer(const nn::Network& network, const auto& visit) {
  for (const auto& layer : network.convolutions()) visit(*layer);
  for (const auto& layer : network.linears()) visit(*layer);
}

void require_no_batch_norm(const nn::Network& network) {
  require(network.norms().empty(), "quantize",
          "node '{}' is a batch norm behind no convolution: expected a network without",
          network.norms().empty() ? "" : network.norms().front()->name);
}

bool is_positive(Activation activation) {
  switch (activation) {
    case Activation::relu:
    case Activation::relu6:
    case Activation::hard_sigmoid:
    case Activation::sigmoid:
      return true;
    case Activation::none:
    case Activation::hard_swish:
    case Activation::silu:
      return false;
  }
  return false;
}

std::vector<QuantizedOutput> outputs_of(const Folded& network, const FloatLayers& floats) {
  const auto& [graph, layers] = network;
  const size_t count = graph.layers.size();
  std::vector<bool> scales;
  for (const inference::Layer& layer : graph.layers) scales.push_back(!floats.contains(layer.name));
  const std::vector<bool> integers = layers_in_integers(graph, scales);
  // By layer, the images first.
  std::vector<bool> bytes(count + 1), multiplied(count + 1);  // by weights, in the next layer
  const auto at = [](int layer) { return static_cast<size_t>(layer + 1); };
  for (size_t i = 0; i < count; ++i) {
    if (!integers[i]) continue;
    const inference::Layer& layer = graph.layers[i];
    if (i + 1 < count) bytes[i + 1] = true;
    bytes[at(graph.input_of(i))] = true;
    if (layer.residual >= 0) bytes[at(layer.residual)] = true;
    if (layer.kind == inference::Layer::Kind::convolution) multiplied[at(graph.input_of(i))] = true;
  }
  for (size_t i = count; i-- > 0;) {  // a max pool hands on what it reads
    const bool hands_on = integers[i] && graph.layers[i].kind == inference::Layer::Kind::max_pool;
    if (hands_on && multiplied[i + 1]) multiplied[at(graph.input_of(i))] = true;
  }
  std::vector<bool> positive(count + 1);
  for (size_t i = 0; i < count; ++i) {
    const inference::Layer& layer = graph.layers[i];
    const bool product = layer.kind == inference::Layer::Kind::multiply;
    positive[i + 1] = product ? positive[at(graph.input_of(i))] && positive[at(layer.residual)]
                              : is_positive(layer.activation);
  }
  std::map<int, size_t> last;  // by layer, the node that it ends in
  for (size_t i = 0; i < layers.size(); ++i) last[layers[i]] = i;
  std::vector<QuantizedOutput> outputs;
  for (size_t i = 0; i < layers.size(); ++i) {
    const size_t layer = at(layers[i]);
    if (last[layers[i]] == i && bytes[layer]) {
      outputs.push_back({i, positive[layer] && multiplied[layer]});
    }
  }
  return outputs;
}

}  // namespace

FloatLayers unknown_to_integers(const nn::Network& network) {
  const inference::Graph graph = folded(network).graph;
  FloatLayers unknown;
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const inference::Layer& layer = graph.layers[i];
    if (layer.kind != inference::Layer::Kind::convolution) continue;
    const std::string why = inference::unknown_to_integers(graph, i);
    if (!why.empty()) unknown[layer.name] = why;
  }
  return unknown;
}

FloatLayers float_layers(const nn::Network& network, const Quantization& quantization) {
  FloatLayers floats;
  for_each_layer(network, [&](const auto& layer) {
    if (!quantization.weight_scales.contains(layer.name)) floats[layer.name] = "has no scales";
  });
  return floats;
}

std::vector<QuantizedOutput> quantized_outputs(const nn::Network& network,
                                               const FloatLayers& floats) {
  require_no_batch_norm(network);
  return outputs_of(folded(network), floats);
}

Grid grid_for(const QuantizedOutput& output, float least, float greatest) {
  Grid grid{1.0f, 0, 0, output.rectified ? kHighRelu : 255};
  const float low = output.rectified ? 0.0f : std::min(0.0f, least),
              high = std::max(0.0f, greatest);
  if (high - low <= 0) return grid;
  grid.scale = (high - low) / static_cast<float>(grid.highest);
  grid.zero_point = static_cast<int>(std::lrint(-low / grid.scale));
  return grid;
}

std::vector<float> weight_scales(const Tensor& weight, const Tensor& bias, float input_scale) {
  const auto rows = static_cast<size_t>(weight.dim(0)),
             per_row = static_cast<size_t>(weight.count()) / rows;
  std::vector<float> scales;
  for (size_t o = 0; o < rows; ++o) {
    scales.push_back(inference::row_scale(weight.values().subspan(o * per_row, per_row),
                                          bias.data()[o], input_scale));
  }
  return scales;
}

void round_weights(Tensor& weight, const std::vector<float>& scales) {
  const NoGrad no_grad;
  weight.copy_from(ops::fake_quantize_rows(Variable(weight), scales, kHighWeight).value());
}

void round_weights(nn::Network& network, Quantization& quantization, const FloatLayers& floats) {
  for_each_layer(network, [&](auto& layer) {
    if (floats.contains(layer.name)) return;
    Tensor& weight = layer.weight.value();
    const auto scales = weight_scales(weight, layer.bias.value(),
                                      input_grid(network, quantization, layer.node).scale);
    round_weights(weight, scales);
    quantization.weight_scales[layer.name] = scales;
  });
}

RoundedOutputs::RoundedOutputs(const nn::Network& network, const Quantization& quantization) {
  const FloatLayers floats = float_layers(network, quantization);
  for (const auto& [node, rectified] : quantized_outputs(network, floats)) {
    const std::string& name = network.graph().nodes[node].name;
    grids_.emplace(node, grid_at(quantization, name));
  }
}

const Grid* RoundedOutputs::grid_of(size_t node) const {
  const auto found = grids_.find(node);
  return found == grids_.end() ? nullptr : &found->second;
}

Variable RoundedOutputs::output(size_t node, const Variable& output) {
  const Grid* const grid = grid_of(node);
  return grid == nullptr ? output : ops::fake_quantize(output, *grid);
}

FakeQuantization::FakeQuantization(const nn::Network& network, const Quantization& quantization)
    : RoundedOutputs(network, quantization) {
  for_each_layer(network, [&](const auto& layer) {
    if (!quantization.weight_scales.contains(layer.name)) return;
    readers_[layer.node] = {layer.bias, input_grid(network, quantization, layer.node).scale};
  });
}

Variable FakeQuantization::weight(size_t node, const Variable& weight) {
  const auto found = readers_.find(node);
  if (found == readers_.end()) return weight;
  const auto& [bias, input_scale] = found->second;
  const auto scales = weight_scales(weight.value(), bias.value(), input_scale);
  return ops::fake_quantize_rows(weight, scales, kHighWeight);
}

Variable FakeQuantization::activation(size_t node, const Variable& input, Activation activation) {
  const Grid* const grid = grid_of(node);
  if (grid == nullptr) return RoundedOutputs::activation(node, input, activation);
  rounded_ = node;
  return ops::fake_quantize(input, *grid, activation);
}

Variable FakeQuantization::output(size_t node, const Variable& output) {
  return rounded_ == node ? output : RoundedOutputs::output(node, output);
}

inference::Graph in_integers(const nn::Network& network, const Quantization& quantization) {
  require_no_batch_norm(network);
  Folded layers = folded(network);
  inference::Graph& graph = layers.graph;
  inference::Grids grids{{}, std::vector<Grid>(graph.layers.size()), {}};
  for (const QuantizedOutput& output : outputs_of(layers, float_layers(network, quantization))) {
    const Grid& grid = grid_at(quantization, network.graph().nodes[output.node].name);
    const int layer = layers.layer_of_node[output.node];
    (layer < 0 ? grids.images : grids.outputs[static_cast<size_t>(layer)]) = grid;
  }
  for (const inference::Layer& layer : graph.layers) {
    const auto found = quantization.weight_scales.find(layer.name);
    const bool known = found != quantization.weight_scales.end();
    grids.weight_scales.push_back(known ? found->second : std::vector<float>());
  }
  graph.integers =
      std::make_shared<const inference::QuantizedGraph>(inference::quantize(graph, grids));
  return std::move(graph);
}

nlohmann::json grids_json(const Quantization& quantization) {
  auto grids = nlohmann::json::object();
  for (const auto& [node, grid] : quantization.outputs) {
    grids[node] = {{"scale", grid.scale},
                   {"zero_point", grid.zero_point},
                   {"lowest", grid.lowest},
                   {"highest", grid.highest}};
  }
  return grids;
}

void store_quantized(Archive& archive, const Quantization& quantization) {
  archive.metadata[kGridsKey] = grids_json(quantization).dump();
  for (const auto& [node, scales] : quantization.weight_scales) {
    const std::string name = node + kWeight;
    const Tensor weight = archive.at(name).to_tensor(name);
    const size_t per_row = static_cast<size_t>(weight.count()) / scales.size();
    Array whole{DType::i8, weight.shape(), {}};
    for (size_t i = 0; i < static_cast<size_t>(weight.count()); ++i) {
      const Grid grid = weight_grid(scales[i / per_row]);
      whole.bytes.push_back(static_cast<std::byte>(grid.quantize(weight.data()[i])));
    }
    archive.arrays[name] = std::move(whole);
    archive.arrays[name + kScale] =
        Array::from(Tensor({static_cast<int64_t>(scales.size())}, scales));
  }
}

Quantization restore_quantized(Archive& archive) {
  Quantization quantization;
  const auto found = archive.metadata.find(kGridsKey);
  require(found != archive.metadata.end(), "quantization", "metadata has no '{}'", kGridsKey);
  for (const auto& [node, values] : parsed(found->second)) {
    quantization.outputs[node] = grid_of(node, values);
  }
  std::vector<std::string> names;
  for (const auto& [name, array] : archive.arrays) {
    if (array.dtype == DType::i8) names.push_back(name);
  }
  for (const std::string& name : names) {
    const bool weight = name.ends_with(kWeight);
    const Array& whole = archive.at(name);
    require(weight && whole.shape.rank() > 0, "quantization", "tensor '{}' is I8 {}, and no weight",
            printable(name), whole.shape.to_string());
    const Tensor scales = archive.at(name + kScale).to_tensor(name + kScale);
    require(scales.shape() == Shape{whole.shape[0]}, "quantization",
            "expected a scale for each output of '{}' {}, got {}", printable(name),
            whole.shape.to_string(), scales.shape());
    for (const float scale : scales.values()) {
      require(std::isfinite(scale) && scale > 0, "quantization", "'{}' has the scale {}",
              printable(name), scale);
    }
    Tensor values(whole.shape);
    const int64_t per_row = std::max<int64_t>(1, values.count() / whole.shape[0]);
    for (int64_t i = 0; i < values.count(); ++i) {
      const int q = static_cast<int8_t>(whole.bytes[static_cast<size_t>(i)]);
      require(q >= -kHighWeight, "quantization", "'{}' has {} at index {}, expected {} or more",
              printable(name), q, i, -kHighWeight);
      values.data()[i] = weight_grid(scales.data()[i / per_row]).value(q);
    }
    const std::string node = name.substr(0, name.size() - std::string_view(kWeight).size());
    quantization.weight_scales[node].assign(scales.values().begin(), scales.values().end());
    archive.arrays[name] = Array::from(values);
    archive.arrays.erase(name + kScale);
  }
  return quantization;
}

}  // namespace edgeprune
