#include "engine/inference/int8_graph.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"

namespace edgeprune::inference {
namespace {

void quantize_weights(const Layer& layer, float input_scale, const std::vector<float>& scales,
                      QuantizedLayer& to) {
  const auto weights = layer.weight.values();
  const auto rows = static_cast<size_t>(layer.shape.out_channels), size = weights.size() / rows;
  require(scales.size() == rows, "quantize", "layer '{}' has {} scales for {} rows of weights",
          layer.name, scales.size(), rows);
  for (size_t o = 0; o < rows; ++o) {
    const float bias = layer.bias.data()[o];
    const std::span<const float> row{weights.data() + o * size, size};
    for (const float w : row) {
      require(std::isfinite(w), "quantize", "layer '{}' has a weight that is {}", layer.name, w);
    }
    require(std::isfinite(bias), "quantize", "layer '{}' has a bias that is {}", layer.name, bias);
    const float scale = scales[o];
    const Grid grid{
        .scale = scale, .zero_point = 0, .lowest = -kHighWeight, .highest = kHighWeight};
    for (const float w : row) to.weights.push_back(static_cast<int8_t>(grid.quantize(w)));
    to.scales.push_back(scale);
    to.bias.push_back(
        static_cast<int32_t>(std::nearbyint(double(bias) / (double(input_scale) * double(scale)))));
  }
}

}  // namespace

std::string unknown_to_integers(const Graph& graph, size_t i) {
  const Layer& layer = graph.layers[i];
  const Conv2dShape& s = layer.shape;
  const bool last = i + 1 == graph.layers.size();
  if (layer.kind != Layer::Kind::convolution) {
    if (last) return "is the last one and no linear layer";
    const bool sum = layer.kind == Layer::Kind::activation;
    return sum ? "is neither a convolution, a pool nor a product" : "";
  }
  if (form_of(layer.activation).kind == ActivationForm::Kind::sigmoid) {
    return fmt::format("ends in {}", name_of(kActivations, layer.activation));
  }
  if (s.groups != 1) {
    if (s.groups != s.in_channels || s.groups != s.out_channels) {
      return fmt::format("has {} groups for {} channels", s.groups, s.in_channels);
    }
    if (layer.residual >= 0) return "is depthwise and adds a residual";
    if (graph.input_of(i) < 0) return "is depthwise and reads the images";
  }
  if (last && (!layer.pointwise() || layer.activation != Activation::none || layer.residual >= 0)) {
    return "is the last one and no linear layer";
  }
  if (graph.input_of(i) < 0 && layer.residual >= 0) return "reads the images and adds a residual";
  return "";
}

std::vector<bool> layers_in_integers(const Graph& graph, const std::vector<bool>& scales) {
  std::vector<bool> integers;
  const auto there = [&](int layer) { return layer >= 0 && integers[static_cast<size_t>(layer)]; };
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const bool reads_bytes =
        there(graph.input_of(i)) && (layer.residual < 0 || there(layer.residual));
    const bool weights = layer.kind == Layer::Kind::convolution;
    integers.push_back(weights ? scales[i] : reads_bytes && unknown_to_integers(graph, i).empty());
  }
  return integers;
}

float row_scale(std::span<const float> row, float bias, float input_scale) {
  constexpr float kMostBias = 0x1p30f;
  float largest = 0.0f;
  for (const float w : row) largest = std::max(largest, std::abs(w));
  const float scale = std::max(largest / kHighWeight, std::abs(bias) / input_scale / kMostBias);
  return scale > 0 ? scale : 1.0f;
}

QuantizedGraph quantize(const Graph& graph, const Grids& grids) {
  const size_t count = graph.layers.size();
  require(count > 0 && grids.outputs.size() == count && grids.weight_scales.size() == count,
          "quantize", "expected grids of {} layers, got {}", count, grids.outputs.size());
  std::vector<bool> scales;
  for (size_t i = 0; i < count; ++i) {
    scales.push_back(!grids.weight_scales[i].empty());
    const std::string unknown = scales[i] ? unknown_to_integers(graph, i) : "";
    require(unknown.empty(), "quantize", "layer '{}' {}", graph.layers[i].name, unknown);
  }
  const std::vector<bool> integers = layers_in_integers(graph, scales);
  QuantizedGraph result{.images = grids.images, .layers = {}};
  for (size_t i = 0; i < count; ++i) {
    const Layer& layer = graph.layers[i];
    const Grid& input = result.grid_of(graph.input_of(i));
    QuantizedLayer to{.integers = integers[i],
                      .kind = layer.kind,
                      .name = layer.name,
                      .shape = layer.shape,
                      .input = graph.input_of(i),
                      .residual = layer.residual,
                      .output = grids.outputs[i],
                      .activation = layer.activation};
    require(!integers[i] || layer.kind != Layer::Kind::max_pool || to.output == input, "quantize",
            "layer '{}' is a max pool, and has another grid than what it reads", layer.name);
    if (scales[i]) {
      quantize_weights(layer, input.scale, grids.weight_scales[i], to);
    }
    result.layers.push_back(std::move(to));
  }
  return result;
}

}  // namespace edgeprune::inference
