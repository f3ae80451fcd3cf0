#include "models/summary.h"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <map>

namespace edgeprune {
namespace {

/// Zero and subnormal values have the exponent 0. (By bits, so that the compiler counts 16 at a time.)
int64_t count_nonzeros(const Tensor& tensor) {
  constexpr uint32_t kExponent = 0x7f80'0000;
  int64_t nonzeros = 0;
  for (const float value : tensor.values()) {
    nonzeros += (std::bit_cast<uint32_t>(value) & kExponent) != 0;
  }
  return nonzeros;
}

template <typename Layer>
LayerSummary summarize_layer(const nn::Placed<Layer>& placed, const std::string& kind) {
  const Conv2dShape& shape = placed.shape;
  const Tensor& weight = placed.weight.value();
  LayerSummary layer;
  layer.name = placed.name;
  layer.kind = kind;
  layer.weight = weight.shape();
  layer.output =
      fmt::format("[{},{},{}]", shape.out_channels, shape.out_height(), shape.out_width());
  layer.parameters = weight.count();
  layer.nonzeros = count_nonzeros(weight);
  layer.multiply_adds = shape.multiply_adds();
  // Every weight takes part in the same number of output pixels.
  layer.nonzero_multiply_adds = layer.nonzeros * (shape.multiply_adds() / shape.weight_count());
  return layer;
}

}  // namespace

std::vector<PrunableWeight> prunable_weights(const nn::Network& model) {
  std::vector<PrunableWeight> weights;
  for (const auto& conv : model.convolutions()) {
    weights.push_back({conv->name + ".weight", conv->weight, true});
  }
  for (const auto& linear : model.linears()) {
    weights.push_back({linear->name + ".weight", linear->weight, false});
  }
  return weights;
}

ModelSummary summarize(const nn::Network& model) {
  ModelSummary summary;
  const auto& nodes = model.graph().nodes;
  for (const auto& conv : model.convolutions()) {
    const bool depthwise = std::holds_alternative<kind::Depthwise>(nodes[conv->node].kind);
    const char* kind = depthwise ? "depthwise {0}x{0}" : "conv {0}x{0}";
    summary.layers.push_back(
        summarize_layer(*conv, conv->shape.pointwise() && !depthwise
                                   ? "pointwise"
                                   : fmt::format(fmt::runtime(kind), conv->shape.kernel)));
  }
  for (const auto& linear : model.linears()) {
    summary.layers.push_back(summarize_layer(*linear, "linear"));
    summary.layers.back().output = fmt::format("[{}]", linear->shape.out_channels);
  }
  std::map<std::string, int64_t> counted;  // large weights are not counted twice
  for (const LayerSummary& layer : summary.layers) {
    counted[layer.name + ".weight"] = layer.nonzeros;
    summary.prunable += layer.parameters;
    summary.nonzero_prunable += layer.nonzeros;
    summary.multiply_adds += layer.multiply_adds;
    summary.nonzero_multiply_adds += layer.nonzero_multiply_adds;
  }
  for (const auto& [name, parameter] : model.parameters()) {
    summary.parameters += parameter.value().count();
    const auto found = counted.find(name);
    summary.nonzero_parameters +=
        found != counted.end() ? found->second : count_nonzeros(parameter.value());
  }
  return summary;
}

}  // namespace edgeprune
