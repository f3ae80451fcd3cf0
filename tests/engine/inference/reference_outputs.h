#pragma once

#include <vector>

#include "engine/inference/graph.h"
#include "engine/kernels/reference/conv2d.h"

namespace edgeprune::testing {

/// All layers' outputs by the reference kernels.
inline std::vector<Tensor> reference_outputs(const inference::Graph& graph, const Tensor& images) {
  std::vector<Tensor> outputs;
  Tensor x = images;
  for (const inference::Layer& layer : graph.layers) {
    Conv2dShape s = layer.shape;
    s.batch = images.dim(0);
    Tensor y({s.batch, s.out_height(), s.out_width(), s.out_channels});
    if (layer.kind == inference::Layer::Kind::global_average_pool) {
      y = Tensor({s.batch, 1, 1, s.in_channels}, 0.0f);
      const int64_t pixels = s.in_height * s.in_width;
      for (int64_t i = 0; i < x.count(); ++i) {
        y.data()[i / (pixels * s.in_channels) * s.in_channels + i % s.in_channels] +=
            x.data()[i] / static_cast<float>(pixels);
      }
    } else {
      reference::conv2d_forward(
          s, x.data(), layer.weight.data(), layer.bias.data(),
          layer.residual < 0 ? nullptr : outputs[static_cast<size_t>(layer.residual)].data(),
          layer.activation, y.data());
    }
    outputs.push_back(y);
    x = y;
  }
  return outputs;
}

}  // namespace edgeprune::testing
