#include "engine/kernels/reference/int8.h"

#include <algorithm>
#include <vector>

namespace edgeprune::reference {

void conv2d_sums(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 int32_t* sums) {
  const Conv2dShape& s = conv.shape;
  const int64_t in_group = s.in_channels / s.groups, out_group = s.out_channels / s.groups;
  for (int64_t n = 0; n < s.batch; ++n) {
    for (int64_t y = 0; y < s.out_height(); ++y) {
      for (int64_t x = 0; x < s.out_width(); ++x) {
        for (int64_t o = 0; o < s.out_channels; ++o) {
          int64_t sum = conv.bias[o];
          for (int64_t i = 0; i < in_group; ++i) {
            for (int64_t tap = 0; tap < s.kernel * s.kernel; ++tap) {
              const int64_t h = y * s.stride - s.padding + tap / s.kernel;
              const int64_t w = x * s.stride - s.padding + tap % s.kernel;
              const bool inside = h >= 0 && h < s.in_height && w >= 0 && w < s.in_width;
              const int64_t pixel = (n * s.in_height + h) * s.in_width + w;
              const int64_t channel = o / out_group * in_group + i;
              sum += conv.weights[(o * in_group + i) * s.kernel * s.kernel + tap] *
                     (inside ? input[pixel * input_pixel + channel] : conv.zero_point);
            }
          }
          *sums++ = static_cast<int32_t>(sum);
        }
      }
    }
  }
}

void conv2d_int8(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 const QuantizedResidual& residual, const Ending& output, uint8_t* to) {
  const Conv2dShape& s = conv.shape;
  std::vector<int32_t> sums(static_cast<size_t>(s.output_count()));
  conv2d_sums(conv, input, input_pixel, sums.data());
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
      to[pixel * bytes + c] = round_to_byte(value, output);
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
                         const Grid& output, uint8_t* to) {
  const int64_t pixel = pixel_bytes(channels);
  const float scales = map_grid.scale * factor_grid.scale / output.scale;
  for (int64_t i = 0; i < images * pixels * pixel; ++i) {
    const int factor = factors[i / pixel / pixels * pixel + i % pixel] - factor_grid.zero_point;
    const float multiplier = static_cast<float>(factor) * scales;
    to[i] = round_to_byte(static_cast<float>(map[i] - map_grid.zero_point) * multiplier, output);
  }
}

}  // namespace edgeprune::reference
