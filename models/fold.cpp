#include "models/fold.h"

#include <cmath>

namespace edgeprune {
namespace {

inference::Layer fold(const MobileNetV2::Unit& unit) {
  inference::Layer layer;
  layer.name = unit.spec.conv;
  layer.shape = unit.spec.shape;
  layer.activation = unit.spec.activation;
  layer.weight = unit.conv.weight.value().clone();
  layer.bias = Tensor({layer.shape.out_channels});
  const auto& norm = unit.norm;
  const int64_t per_channel = layer.weight.count() / layer.shape.out_channels;
  for (int64_t o = 0; o < layer.shape.out_channels; ++o) {
    const double scale = norm.weight.value().data()[o] /
                         std::sqrt(double(norm.state.running_var.data()[o]) + norm.state.eps);
    for (int64_t i = 0; i < per_channel; ++i) {
      float& w = layer.weight.data()[o * per_channel + i];
      w = static_cast<float>(w * scale);
    }
    layer.bias.data()[o] =
        static_cast<float>(norm.bias.value().data()[o] - norm.state.running_mean.data()[o] * scale);
  }
  return layer;
}

}  // namespace

inference::Graph fold_batch_norm(const MobileNetV2& model) {
  inference::Graph graph;
  int block_input = -1;
  for (const auto& unit : model.units()) {
    const int index = static_cast<int>(graph.layers.size());
    if (unit->spec.opens_block) block_input = index - 1;
    inference::Layer layer = fold(*unit);
    if (unit->spec.adds_residual) layer.residual = block_input;
    graph.layers.push_back(std::move(layer));
  }
  const Conv2dShape& last = model.units().back()->spec.shape;
  graph.layers.push_back({.kind = inference::Layer::Kind::global_average_pool,
                          .name = "pool",
                          .shape = {.in_height = last.out_height(),
                                    .in_width = last.out_width(),
                                    .in_channels = last.out_channels,
                                    .out_channels = last.out_channels},
                          .weight = {},
                          .bias = {}});
  const auto& head = model.head();
  const Shape& shape = head.weight.shape();
  graph.layers.push_back({.name = kHeadName,
                          .shape = {.in_channels = shape[1], .out_channels = shape[0]},
                          .weight = head.weight.value().clone().reshape({shape[0], shape[1], 1, 1}),
                          .bias = head.bias.value().clone()});
  return graph;
}

}  // namespace edgeprune
