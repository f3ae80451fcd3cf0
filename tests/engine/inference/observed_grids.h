#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/inference/channels_last_steps.h"
#include "engine/inference/int8_graph.h"

namespace edgeprune::testing {

/// Grids over all values that a graph's tensors have for these images [N,H,W,C]: from zero where a layer ends
/// in ReLU or ReLU6, about zero elsewhere. (models/calibration does it for whole networks.)
inline inference::Grids observed_grids(const inference::Graph& graph, const Tensor& images) {
  using inference::Layer;
  const auto largest = [](const Tensor& x) {
    float most = 0;
    for (const float value : x.values()) most = std::max(most, std::abs(value));
    return most > 0 ? most : 127.0f;
  };
  const Grid about_zero{1.0f / 127, 128, 0, 255};
  inference::Grids grids{about_zero, {}, {}};
  grids.images.scale = largest(images) / 127;
  std::vector<Tensor> outputs;
  const auto output_of = [&](int layer) {
    return (layer < 0 ? images : outputs[static_cast<size_t>(layer)]).data();
  };
  const auto grid_of = [&](int layer) {
    return layer < 0 ? grids.images : grids.outputs[static_cast<size_t>(layer)];
  };
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const auto step = inference::channels_last_step(layer, images.dim(0));
    Tensor output({step->output_size()}), scratch({std::max<int64_t>(1, step->scratch_size())});
    step->run_floats(output_of(graph.input_of(i)),
                     layer.residual < 0 ? nullptr : output_of(layer.residual), output.data(),
                     scratch.data());
    const Grid input = grid_of(graph.input_of(i));
    const bool convolves = layer.kind == Layer::Kind::convolution;
    const bool signed_values =
        layer.activation == Activation::none || layer.activation == Activation::hard_swish;
    const bool positive = convolves ? !signed_values : input.zero_point == 0;
    Grid grid = positive ? Grid{1.0f, 0, 0, kHighRelu} : about_zero;
    grid.scale = largest(output) / 127;
    grids.outputs.push_back(grid);
    std::vector<float> scales;
    const auto rows = !convolves ? 0 : static_cast<size_t>(layer.shape.out_channels);
    for (size_t o = 0; o < rows; ++o) {
      const size_t size = layer.weight.values().size() / rows;
      scales.push_back(inference::row_scale(layer.weight.values().subspan(o * size, size),
                                            layer.bias.data()[o], input.scale));
    }
    grids.weight_scales.push_back(scales);
    outputs.push_back(output);
  }
  return grids;
}

}  // namespace edgeprune::testing
