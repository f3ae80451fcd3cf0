#include "models/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/weights_file.h"

namespace edgeprune {
namespace {

int64_t count_nonzeros(const Tensor& tensor) {
  return std::count_if(tensor.values().begin(), tensor.values().end(),
                       [](float value) { return value != 0.0f && !is_subnormal(value); });
}

LayerSummary summarize_layer(const std::string& name, const Conv2dShape& shape, bool linear,
                             const Tensor& weight) {
  LayerSummary layer;
  layer.name = name;
  layer.kind = linear              ? "linear"
               : shape.depthwise() ? fmt::format("depthwise {0}x{0}", shape.kernel)
               : shape.pointwise() ? "pointwise"
                                   : fmt::format("conv {0}x{0}", shape.kernel);
  layer.weight = weight.shape();
  layer.output =
      linear ? fmt::format("[{}]", shape.out_channels)
             : fmt::format("[{},{},{}]", shape.out_channels, shape.out_height(), shape.out_width());
  layer.parameters = weight.count();
  layer.nonzeros = count_nonzeros(weight);
  layer.multiply_adds = shape.multiply_adds();
  // Every weight takes part in the same number of output pixels.
  layer.nonzero_multiply_adds = layer.nonzeros * (shape.multiply_adds() / shape.weight_count());
  return layer;
}

}  // namespace

std::vector<PrunableWeight> prunable_weights(const MobileNetV2& model) {
  std::vector<PrunableWeight> weights;
  for (const auto& unit : model.units()) {
    weights.push_back({unit->spec.conv + ".weight", unit->conv.weight, true});
  }
  weights.push_back({std::string(kHeadName) + ".weight", model.head().weight, false});
  return weights;
}

ModelSummary summarize(const MobileNetV2& model) {
  ModelSummary summary;
  for (const auto& unit : model.units()) {
    summary.layers.push_back(
        summarize_layer(unit->spec.conv, unit->spec.shape, false, unit->conv.weight.value()));
  }
  const Tensor& head = model.head().weight.value();
  summary.layers.push_back(summarize_layer(
      kHeadName, {.in_channels = head.dim(1), .out_channels = head.dim(0)}, true, head));
  for (const LayerSummary& layer : summary.layers) {
    summary.prunable += layer.parameters;
    summary.nonzero_prunable += layer.nonzeros;
    summary.multiply_adds += layer.multiply_adds;
    summary.nonzero_multiply_adds += layer.nonzero_multiply_adds;
  }
  for (const auto& [name, parameter] : model.parameters()) {
    summary.parameters += parameter.value().count();
    summary.nonzero_parameters += count_nonzeros(parameter.value());
  }
  return summary;
}

}  // namespace edgeprune
