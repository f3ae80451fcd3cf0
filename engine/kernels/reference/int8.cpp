#include "engine/kernels/reference/int8.h"

#include <algorithm>
#include <vector>

namespace edgeprune::reference {

namespace {

/// What the weights of a row meet under one output, in their order: [I,k,k].
void copy_patch(const QuantizedConv2d& conv, const uint8_t* image, int64_t input_pixel, int64_t y,
                int64_t x, std::vector<uint8_t>& patch) {
  const Conv2dShape& s = conv.shape;
  const int64_t taps = s.kernel * s.kernel;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const int64_t h = y * s.stride - s.padding + tap / s.kernel;
    const int64_t w = x * s.stride - s.padding + tap % s.kernel;
    const bool inside = h >= 0 && h < s.in_height && w >= 0 && w < s.in_width;
    for (int64_t c = 0; c < s.in_channels; ++c) {
      patch[static_cast<size_t>(c * taps + tap)] =
          inside ? image[(h * s.in_width + w) * input_pixel + c]
                 : static_cast<uint8_t>(conv.zero_point);
    }
  }
}

}  // namespace

Extremes& Extremes::operator+=(const Extremes& other) {
  least = std::min(least, other.least), most = std::max(most, other.most);
  sums += other.sums, beyond += other.beyond;
  outputs += other.outputs, below += other.below, above += other.above;
  return *this;
}

uint8_t cut_to_byte(float value, const Ending& output, Extremes* extremes) {
  const float activated = output.activated(value);
  const Grid& grid = output.grid;
  if (extremes != nullptr) {
    const long q = std::lrintf(activated) + grid.zero_point;
    ++extremes->outputs;
    if (q < grid.lowest) ++extremes->below;
    if (q > grid.highest) ++extremes->above;
  }
  return round_to_byte(activated, grid);
}

void conv2d_sums(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 int32_t* sums, Extremes* extremes) {
  const Conv2dShape& s = conv.shape;
  const int64_t out_group = s.out_channels / s.groups;
  const int64_t row = s.in_channels / s.groups * s.kernel * s.kernel;
  std::vector<uint8_t> patch(static_cast<size_t>(s.groups * row));
  for (int64_t i = 0; i < s.batch * s.out_height() * s.out_width(); ++i) {
    const int64_t x = i % s.out_width(), y = i / s.out_width() % s.out_height();
    const int64_t image = i / (s.out_width() * s.out_height()) * s.in_height * s.in_width;
    copy_patch(conv, input + image * input_pixel, input_pixel, y, x, patch);
    for (int64_t o = 0; o < s.out_channels; ++o) {
      const uint8_t* q = patch.data() + o / out_group * row;
      const int8_t* w = conv.weights + o * row;
      int64_t positive = 0, negative = 0;
      for (int64_t k = 0; k < row; ++k) {
        const int product = w[k] * q[k];
        positive += std::max(product, 0), negative += std::min(product, 0);
      }
      const int64_t bias = conv.bias[o];
      *sums++ = static_cast<int32_t>(bias + positive + negative);
      if (extremes == nullptr) continue;
      // Kernels begin with the bias or end with it, and add the products in orders of their own.
      const int64_t least = std::min<int64_t>(bias, 0) + negative;
      const int64_t most = std::max<int64_t>(bias, 0) + positive;
      *extremes += {.least = least,
                    .most = most,
                    .sums = 1,
                    .beyond = least < INT32_MIN || most > INT32_MAX ? 1 : 0};
    }
  }
}

void conv2d_int8(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 const QuantizedResidual& residual, const Ending& output, uint8_t* to,
                 Extremes* extremes) {
  const Conv2dShape& s = conv.shape;
  std::vector<int32_t> sums(static_cast<size_t>(s.output_count()));
  conv2d_sums(conv, input, input_pixel, sums.data(), extremes);
  const int64_t bytes = pixel_bytes(s.out_channels);
  for (int64_t pixel = 0; pixel < s.output_count() / s.out_channels; ++pixel) {
    for (int64_t c = 0; c < bytes; ++c) {
      float value = 0.0f;
      if (c < s.out_channels) {
        const int32_t sum = sums[static_cast<size_t>(pixel * s.out_channels + c)];
        value = static_cast<float>(sum) * conv.multipliers[c];
        if (residual.data != nullptr) {
          const int other = residual.data[pixel * bytes + c] - residual.zero_point;
          const float added = static_cast<float>(other) * residual.multiplier;
          value += added;
        }
      }
      to[pixel * bytes + c] = cut_to_byte(value, output, c < s.out_channels ? extremes : nullptr);
    }
  }
}

void dequantize(const uint8_t* from, int64_t pixels, int64_t channels, const Grid& grid,
                float* to) {
  for (int64_t i = 0; i < pixels * channels; ++i) {
    to[i] = grid.value(from[i / channels * pixel_bytes(channels) + i % channels]);
  }
}

void max_pool_int8(const Conv2dShape& s, const uint8_t* from, uint8_t* to) {
  const int64_t pixel = pixel_bytes(s.in_channels);
  for (int64_t i = 0; i < s.batch * s.out_height() * s.out_width() * pixel; ++i) {
    const int64_t c = i % pixel, x = i / pixel % s.out_width(),
                  y = i / pixel / s.out_width() % s.out_height(),
                  n = i / pixel / s.out_width() / s.out_height();
    to[i] = 0;
    for (int64_t tap = 0; tap < s.kernel * s.kernel; ++tap) {
      const int64_t h = y * s.stride - s.padding + tap / s.kernel;
      const int64_t w = x * s.stride - s.padding + tap % s.kernel;
      if (h < 0 || h >= s.in_height || w < 0 || w >= s.in_width) continue;
      to[i] = std::max(to[i], from[((n * s.in_height + h) * s.in_width + w) * pixel + c]);
    }
  }
}

void scale_channels_int8(int64_t images, int64_t pixels, int64_t channels, const Grid& map_grid,
                         const uint8_t* map, const Grid& factor_grid, const uint8_t* factors,
                         const Grid& output, uint8_t* to, Extremes* extremes) {
  const int64_t pixel = pixel_bytes(channels);
  const float scales = map_grid.scale * factor_grid.scale / output.scale;
  for (int64_t i = 0; i < images * pixels * pixel; ++i) {
    const int factor = factors[i / pixel / pixels * pixel + i % pixel] - factor_grid.zero_point;
    const float multiplier = static_cast<float>(factor) * scales;
    to[i] = cut_to_byte(static_cast<float>(map[i] - map_grid.zero_point) * multiplier, output,
                        i % pixel < channels ? extremes : nullptr);
  }
}

}  // namespace edgeprune::reference
