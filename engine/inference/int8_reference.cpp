#include "engine/inference/int8_reference.h"

#include "engine/base/check.h"

namespace edgeprune::inference {
namespace {

int64_t bytes_of(int layer, int64_t channels) {
  return layer < 0 ? image_pixel_bytes(channels) : pixel_bytes(channels);
}

std::vector<uint8_t> bytes_of_image(const QuantizedGraph& graph, const float* image) {
  const Conv2dShape& first = graph.layers.front().shape;
  std::vector<uint8_t> bytes;
  const int64_t pixel = image_pixel_bytes(first.in_channels);
  for (int64_t p = 0; p < first.in_height * first.in_width; ++p) {
    for (int64_t c = 0; c < pixel; ++c) {
      const float x = c < first.in_channels ? image[p * first.in_channels + c] : 0.0f;
      bytes.push_back(static_cast<uint8_t>(graph.images.quantize(x)));
    }
  }
  return bytes;
}

std::vector<uint8_t> pool(const QuantizedLayer& layer, const Grid& input,
                          const std::vector<uint8_t>& from, reference::Extremes& extremes) {
  const Conv2dShape& s = layer.shape;
  const int64_t pixel = pixel_bytes(s.in_channels), count = s.in_height * s.in_width;
  std::vector<uint8_t> to;
  for (int64_t c = 0; c < pixel; ++c) {
    int sum = 0;
    for (int64_t p = 0; p < count; ++p) {
      sum += from[static_cast<size_t>(p * pixel + c)] - input.zero_point;
    }
    const float multiplier = input.scale / (layer.output.scale * static_cast<float>(count));
    to.push_back(reference::cut_to_byte(static_cast<float>(sum) * multiplier, layer.output,
                                        c < s.in_channels ? &extremes : nullptr));
  }
  return to;
}

/// A convolution's numbers, as kernels take them.
struct Numbers {
  std::vector<int32_t> bias;
  std::vector<float> multipliers;
  const QuantizedLayer& layer;
  int zero_point;

  Numbers(const QuantizedGraph& graph, size_t i, float output_scale)
      : bias(graph.layers[i].bias),
        layer(graph.layers[i]),
        zero_point(graph.grid_of(layer.input).zero_point) {
    const size_t row = layer.weights.size() / layer.scales.size();
    for (size_t o = 0; o < bias.size(); ++o) {
      for (size_t k = 0; k < row; ++k) bias[o] -= zero_point * layer.weights[o * row + k];
      multipliers.push_back(graph.grid_of(layer.input).scale * layer.scales[o] / output_scale);
    }
  }
  reference::QuantizedConv2d conv() const {
    return {layer.shape, layer.weights.data(), bias.data(), multipliers.data(), zero_point};
  }
  int64_t input_pixel() const { return bytes_of(layer.input, layer.shape.in_channels); }
};

std::vector<float> sums_in_floats(const Numbers& numbers, const PlainMaps& maps,
                                  reference::Extremes* extremes) {
  std::vector<int32_t> sums(static_cast<size_t>(numbers.layer.shape.output_count()));
  conv2d_sums(numbers.conv(), maps.of(numbers.layer.input).data(), numbers.input_pixel(),
              sums.data(), extremes);
  std::vector<float> floats;
  for (size_t k = 0; k < sums.size(); ++k) {
    const float multiplier = numbers.multipliers[k % numbers.multipliers.size()];
    floats.push_back(static_cast<float>(sums[k]) * multiplier);
  }
  return floats;
}

std::vector<uint8_t> convolve(const QuantizedGraph& graph, size_t i, const PlainMaps& maps,
                              reference::Extremes& extremes) {
  const QuantizedLayer& layer = graph.layers[i];
  const Conv2dShape& s = layer.shape;
  const Numbers numbers(graph, i, layer.output.scale);
  QuantizedResidual residual;
  if (layer.residual >= 0) {
    const Grid& other = graph.grid_of(layer.residual);
    residual = {maps.of(layer.residual).data(), other.scale / layer.output.scale, other.zero_point};
  }
  std::vector<uint8_t> to(
      static_cast<size_t>(s.out_height() * s.out_width() * pixel_bytes(s.out_channels)));
  conv2d_int8(numbers.conv(), maps.of(layer.input).data(), numbers.input_pixel(), residual,
              {layer.output, layer.activation}, to.data(), &extremes);
  return to;
}

}  // namespace

PlainMaps int8_by_plain_loops(const QuantizedGraph& graph, const float* image) {
  PlainMaps all{.maps = {bytes_of_image(graph, image)}, .logits = {}, .extremes = {}};
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const QuantizedLayer& layer = graph.layers[i];
    require(layer.integers, "plain loops", "layer '{}' is in floats", layer.name);
    const std::vector<uint8_t>& from = all.of(layer.input);
    reference::Extremes& extremes = all.extremes.emplace_back();
    if (i + 1 == graph.layers.size()) {
      all.logits = sums_in_floats({graph, i, 1.0f}, all, &extremes);
    } else if (layer.kind == Layer::Kind::convolution) {
      all.maps.push_back(convolve(graph, i, all, extremes));
    } else if (layer.kind == Layer::Kind::max_pool) {
      std::vector<uint8_t> to(
          static_cast<size_t>(layer.shape.out_height() * layer.shape.out_width() *
                              pixel_bytes(layer.shape.out_channels)));
      reference::max_pool_int8(layer.shape, from.data(), to.data());
      all.maps.push_back(std::move(to));
    } else if (layer.kind == Layer::Kind::multiply) {
      const Conv2dShape& s = layer.shape;
      std::vector<uint8_t> to(from.size());
      reference::scale_channels_int8(1, s.in_height * s.in_width, s.in_channels,
                                     graph.grid_of(layer.input), from.data(),
                                     graph.grid_of(layer.residual), all.of(layer.residual).data(),
                                     layer.output, to.data(), &extremes);
      all.maps.push_back(std::move(to));
    } else {
      all.maps.push_back(pool(layer, graph.grid_of(layer.input), from, extremes));
    }
  }
  return all;
}

std::vector<float> int8_sums(const QuantizedGraph& graph, size_t i, const PlainMaps& maps) {
  return sums_in_floats({graph, i, 1.0f}, maps, nullptr);
}

}  // namespace edgeprune::inference
