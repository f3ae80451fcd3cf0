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

void check_layer(const Graph& graph, size_t i) {
  const Layer& layer = graph.layers[i];
  const bool pool = layer.kind == Layer::Kind::global_average_pool;
  require(pool || layer.kind == Layer::Kind::convolution, "quantize",
          "layer '{}' is neither a convolution nor an average pool", layer.name);
  if (pool) return;
  const Conv2dShape& s = layer.shape;
  require(s.groups == 1 || (s.groups == s.in_channels && s.groups == s.out_channels), "quantize",
          "layer '{}' has {} groups for {} channels", layer.name, s.groups, s.in_channels);
  require(s.groups == 1 || (layer.residual < 0 && graph.input_of(i) >= 0), "quantize",
          "layer '{}' is depthwise, and adds a residual or reads the images", layer.name);
  require(layer.activation == Activation::none || layer.activation == Activation::relu ||
              layer.activation == Activation::relu6,
          "quantize", "layer '{}' ends in {}", layer.name, name_of(kActivations, layer.activation));
}

}  // namespace

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
  const Layer& last = graph.layers.back();
  require(last.pointwise() && last.activation == Activation::none && last.residual < 0, "quantize",
          "the last layer, '{}', is no linear layer", last.name);
  QuantizedGraph result{.images = grids.images, .layers = {}};
  for (size_t i = 0; i < count; ++i) {
    const Layer& layer = graph.layers[i];
    check_layer(graph, i);
    const Grid& input = result.grid_of(graph.input_of(i));
    QuantizedLayer to{.kind = layer.kind,
                      .name = layer.name,
                      .shape = layer.shape,
                      .input = graph.input_of(i),
                      .residual = layer.residual,
                      .output = grids.outputs[i]};
    if (layer.kind == Layer::Kind::convolution) {
      quantize_weights(layer, input.scale, grids.weight_scales[i], to);
    }
    result.layers.push_back(std::move(to));
  }
  return result;
}

}  // namespace edgeprune::inference
