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

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::int8 {

HWY_EXPORT(dequantize_pixels);

void dequantize(const uint8_t* from, int64_t pixels, int64_t channels, const Grid& grid,
                float* to) {
  const int64_t least = std::max<int64_t>(1, (1 << 16) / channels);
  parallel_for(pixels, least, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(dequantize_pixels)(from, channels, grid, to, begin, end);
  });
}

}  // namespace edgeprune::int8
#endif
