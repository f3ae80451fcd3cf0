#pragma once

#include <cstdint>
#include <vector>

#include "engine/inference/int8_graph.h"
#include "engine/kernels/reference/int8.h"

namespace edgeprune::testing {

/// A quantised network's logits for one image, by the plain loops.
inline std::vector<float> int8_reference_logits(const inference::QuantizedGraph& graph,
                                                const float* image) {
  const Conv2dShape& first = graph.layers.front().shape;
  std::vector<std::vector<uint8_t>> maps(1);  // images, then each layer's output
  const int64_t pixel = image_pixel_bytes(first.in_channels);
  for (int64_t p = 0; p < first.in_height * first.in_width; ++p) {
    for (int64_t c = 0; c < pixel; ++c) {
      const float x = c < first.in_channels ? image[p * first.in_channels + c] : 0.0f;
      maps[0].push_back(static_cast<uint8_t>(graph.images.quantize(x)));
    }
  }
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const inference::QuantizedLayer& layer = graph.layers[i];
    const Conv2dShape& s = layer.shape;
    const Grid& input = graph.grid_of(layer.input);
    const std::vector<uint8_t>& from = maps[static_cast<size_t>(layer.input + 1)];
    const int64_t in_pixel =
        layer.input < 0 ? image_pixel_bytes(s.in_channels) : pixel_bytes(s.in_channels);
    const bool last = i + 1 == graph.layers.size();
    const int64_t pixels = s.out_height() * s.out_width(), out_pixel = pixel_bytes(s.out_channels);
    if (layer.kind == inference::Layer::Kind::global_average_pool) {
      std::vector<uint8_t> to(static_cast<size_t>(in_pixel));
      for (int64_t c = 0; c < in_pixel; ++c) {
        int sum = 0;
        const int64_t count = s.in_height * s.in_width;
        for (int64_t p = 0; p < count; ++p) {
          sum += from[static_cast<size_t>(p * in_pixel + c)] - input.zero_point;
        }
        const float multiplier = input.scale / (layer.output.scale * static_cast<float>(count));
        to[static_cast<size_t>(c)] =
            round_to_byte(static_cast<float>(sum) * multiplier, layer.output);
      }
      maps.push_back(to);
      continue;
    }
    if (layer.kind == inference::Layer::Kind::multiply) {
      std::vector<uint8_t> to(from.size());
      const auto factors = static_cast<size_t>(layer.residual + 1);
      reference::scale_channels_int8(1, pixels, s.in_channels, input, from.data(),
                                     graph.grid_of(layer.residual), maps[factors].data(),
                                     layer.output, to.data());
      maps.push_back(to);
      continue;
    }
    std::vector<int32_t> bias = layer.bias;
    std::vector<float> multipliers;
    const size_t row = layer.weights.size() / layer.scales.size();
    for (size_t o = 0; o < bias.size(); ++o) {
      for (size_t k = 0; k < row; ++k) bias[o] -= input.zero_point * layer.weights[o * row + k];
      multipliers.push_back(input.scale * layer.scales[o] / (last ? 1.0f : layer.output.scale));
    }
    const reference::QuantizedConv2d conv{s, layer.weights.data(), bias.data(), multipliers.data(),
                                          input.zero_point};
    if (last) {
      std::vector<int32_t> sums(static_cast<size_t>(s.out_channels));
      conv2d_sums(conv, from.data(), in_pixel, sums.data());
      std::vector<float> logits;
      for (size_t o = 0; o < sums.size(); ++o) {
        logits.push_back(static_cast<float>(sums[o]) * multipliers[o]);
      }
      return logits;
    }
    QuantizedResidual residual;
    if (layer.residual >= 0) {
      const Grid& other = graph.grid_of(layer.residual);
      residual = {maps[static_cast<size_t>(layer.residual + 1)].data(),
                  other.scale / layer.output.scale, other.zero_point};
    }
    std::vector<uint8_t> to(static_cast<size_t>(pixels * out_pixel));
    conv2d_int8(conv, from.data(), in_pixel, residual, {layer.output, layer.activation}, to.data());
    maps.push_back(to);
  }
  return {};
}

}  // namespace edgeprune::testing
