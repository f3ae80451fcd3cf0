#include "engine/kernels/int8/maps.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/quantization.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/maps.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Plain loops, of which compilers make vectors.
HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

void dequantize_pixels(const uint8_t* from, int64_t channels, const Grid& grid, float* to,
                       int64_t begin, int64_t end) {
  const int64_t pixel = pixel_bytes(channels);
  const float scale = grid.scale;
  const int32_t zero_point = grid.zero_point;
  for (int64_t p = begin; p < end; ++p) {
    const uint8_t* bytes = from + p * pixel;
    float* values = to + p * channels;
    for (int64_t c = 0; c < channels; ++c) {
      values[c] = scale * static_cast<float>(bytes[c] - zero_point);
    }
  }
}

/// Rows [begin, end) of all images' outputs.
void max_pool_rows(const Conv2dShape& s, const uint8_t* from, uint8_t* to, int64_t begin,
                   int64_t end) {
  const int64_t pixel = pixel_bytes(s.in_channels), height = s.out_height(), width = s.out_width();
  for (int64_t row = begin; row < end; ++row) {
    const uint8_t* map = from + row / height * s.in_height * s.in_width * pixel;
    const int64_t top = row % height * s.stride - s.padding;
    for (int64_t x = 0; x < width; ++x) {
      uint8_t* const largest = to + (row * width + x) * pixel;
      std::fill_n(largest, pixel, uint8_t{0});
      const int64_t left = x * s.stride - s.padding;
      for (int64_t h = std::max<int64_t>(0, top); h < std::min(s.in_height, top + s.kernel); ++h) {
        for (int64_t w = std::max<int64_t>(0, left); w < std::min(s.in_width, left + s.kernel);
             ++w) {
          const uint8_t* HWY_RESTRICT in = map + (h * s.in_width + w) * pixel;
          for (int64_t c = 0; c < pixel; ++c) largest[c] = std::max(largest[c], in[c]);
        }
      }
    }
  }
}

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::int8 {

HWY_EXPORT(dequantize_pixels);
HWY_EXPORT(max_pool_rows);

void dequantize(const uint8_t* from, int64_t pixels, int64_t channels, const Grid& grid,
                float* to) {
  const int64_t least = std::max<int64_t>(1, (1 << 16) / channels);
  parallel_for(pixels, least, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(dequantize_pixels)(from, channels, grid, to, begin, end);
  });
}

void max_pool(const Conv2dShape& shape, const uint8_t* from, uint8_t* to) {
  const int64_t row = shape.out_width() * shape.in_channels * shape.kernel * shape.kernel;
  parallel_for(shape.batch * shape.out_height(), std::max<int64_t>(1, (1 << 16) / row),
               [&](int64_t begin, int64_t end, int) {
                 HWY_DYNAMIC_DISPATCH(max_pool_rows)(shape, from, to, begin, end);
               });
}

}  // namespace edgeprune::int8
#endif
