#include "engine/kernels/int8/elementwise.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/int8/elementwise_calls.h"
#include "engine/kernels/quantization.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// Plain loops, of which compilers make vectors.
HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

/// round_to_byte() of a value within, or beyond, 2^22, without a call: floats from 2^23 to 2^24 are the
/// whole numbers, to which the addition rounds as it rounds everything, ties to even.
struct Rounder {
  explicit Rounder(const Grid& grid)
      : lowest(static_cast<float>(grid.lowest - grid.zero_point)),
        highest(static_cast<float>(grid.highest - grid.zero_point)),
        zero_point(grid.zero_point) {}
  HWY_INLINE uint8_t byte(float value) const {
    constexpr float kWhole = 12582912.0f;                  // 1.5 * 2^23
    const float above = value >= lowest ? value : lowest;  // NaN too
    const float inside = above <= highest ? above : highest;
    const float whole = inside + kWhole;
    return static_cast<uint8_t>(std::bit_cast<int32_t>(whole) - std::bit_cast<int32_t>(kWhole) +
                                zero_point);
  }
  float lowest, highest;
  int32_t zero_point;
};

/// Bytes that are read behind those of the pixels.
constexpr int64_t kBehindThrees = 16;

/// Pixels of three bytes to pixels of four, of which the last is `fourth`.
HWY_INLINE void threes_to_fours(const uint8_t* from, int64_t count, uint8_t fourth, uint8_t* to) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::FixedTag<uint8_t, 16> d;
  alignas(16) static constexpr uint8_t kOrder[16] = {0, 1, 2, 0, 3, 4,  5,  3,
                                                     6, 7, 8, 6, 9, 10, 11, 9};
  alignas(16) static constexpr uint8_t kFourth[16] = {0, 0, 0, 255, 0, 0, 0, 255,
                                                      0, 0, 0, 255, 0, 0, 0, 255};
  const auto order = hn::Load(d, kOrder);
  const auto is_fourth = hn::MaskFromVec(hn::Load(d, kFourth));
  for (; i + 4 <= count; i += 4) {
    const auto threes = hn::TableLookupBytes(hn::LoadU(d, from + 3 * i), order);
    hn::StoreU(hn::IfThenElse(is_fourth, hn::Set(d, fourth), threes), d, to + 4 * i);
  }
#endif
  for (; i < count; ++i) {
    std::memcpy(to + 4 * i, from + 3 * i, 3);
    to[4 * i + 3] = fourth;
  }
}

void quantize_pixels(const float* x, int64_t channels, const Grid& grid, int64_t pixel, uint8_t* to,
                     int64_t begin, int64_t end) {
  constexpr int64_t kPiece = 1024;
  uint8_t bytes[kPiece + kBehindThrees];
  const Rounder rounder(grid);
  const float scale = grid.scale;
  const auto zero = static_cast<uint8_t>(grid.zero_point);
  if (channels > kPiece) {
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t c = 0; c < pixel; ++c) {
        to[p * pixel + c] = c < channels ? rounder.byte(x[p * channels + c] / scale) : zero;
      }
    }
    return;
  }
  const int64_t piece = kPiece / channels;
  for (int64_t p = begin; p < end; p += piece) {
    const int64_t count = std::min(piece, end - p);
    const float* from = x + p * channels;
    for (int64_t i = 0; i < count * channels; ++i) bytes[i] = rounder.byte(from[i] / scale);
    uint8_t* pixels = to + p * pixel;
    if (channels == 3 && pixel == 4) {
      threes_to_fours(bytes, count, zero, pixels);
      continue;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(pixels + i * pixel, bytes + i * channels, static_cast<size_t>(channels));
      std::memset(pixels + i * pixel + channels, zero, static_cast<size_t>(pixel - channels));
    }
  }
}

/// Sixteen channels of an image at a time.
void pool_pieces(const PoolCall& call, int64_t begin, int64_t end) {
  constexpr int64_t kChannels = 16;
  const Rounder rounder(call.output);
  const int64_t pieces = call.pixel / kChannels;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t image = i / pieces, first = i % pieces * kChannels;
    const uint8_t* from = call.from + image * call.pixels * call.pixel + first;
    int32_t sums[kChannels];
    std::fill_n(sums, kChannels, -call.zero_sum);
    for (int64_t p = 0; p < call.pixels; ++p, from += call.pixel) {
      for (int64_t c = 0; c < kChannels; ++c) sums[c] += from[c];
    }
    uint8_t* to = call.to + image * call.pixel + first;
    for (int64_t c = 0; c < kChannels; ++c) {
      to[c] = rounder.byte(static_cast<float>(sums[c]) * call.multiplier);
    }
  }
}

void add_bytes(const AddCall& call, int64_t begin, int64_t end) {
  const Rounder rounder(call.output);
  for (int64_t i = begin; i < end; ++i) {
    const float a = static_cast<float>(call.a[i] - call.a_zero) * call.a_multiplier;
    const float b = static_cast<float>(call.b[i] - call.b_zero) * call.b_multiplier;
    call.to[i] = rounder.byte(a + b);
  }
}

/// Pixels [begin, end) of all images; the factors of some channels at a time become floats.
void scale_pixels(const ScaleCall& call, int64_t begin, int64_t end) {
  constexpr int64_t kChannels = 64;
  const Rounder rounder(call.output);
  for (int64_t p = begin; p < end;) {
    const int64_t image = p / call.pixels, last = std::min(end, (image + 1) * call.pixels);
    for (int64_t first = 0; first < call.pixel; first += kChannels) {
      const int64_t count = std::min(kChannels, call.pixel - first);
      const uint8_t* factors = call.factors + image * call.pixel + first;
      float multipliers[kChannels];
      for (int64_t c = 0; c < count; ++c) {
        multipliers[c] = static_cast<float>(factors[c] - call.factor_zero) * call.multiplier;
      }
      for (int64_t i = p; i < last; ++i) {
        const uint8_t* HWY_RESTRICT from = call.map + i * call.pixel + first;
        uint8_t* HWY_RESTRICT to = call.to + i * call.pixel + first;
        for (int64_t c = 0; c < count; ++c) {
          to[c] = rounder.byte(static_cast<float>(from[c] - call.map_zero) * multipliers[c]);
        }
      }
    }
    p = last;
  }
}

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::int8 {

HWY_EXPORT(quantize_pixels);
HWY_EXPORT(pool_pieces);
HWY_EXPORT(add_bytes);
HWY_EXPORT(scale_pixels);

void quantize(const float* x, int64_t pixels, int64_t channels, const Grid& grid, int64_t pixel,
              uint8_t* to) {
  parallel_for(pixels, 4096, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(quantize_pixels)(x, channels, grid, pixel, to, begin, end);
  });
}

void quantize_alone(const float* x, int64_t pixels, int64_t channels, const Grid& grid,
                    int64_t pixel, uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(quantize_pixels)(x, channels, grid, pixel, to, 0, pixels);
}

void global_average_pool(int64_t batch, int64_t pixels, int64_t channels, const Grid& input,
                         const uint8_t* from, const Grid& output, uint8_t* to) {
  require(pixels > 0 && pixels <= INT32_MAX / 255, "int8 global_average_pool",
          "expected a map of 1 to {} pixels, got {}", INT32_MAX / 255, pixels);
  const PoolCall call{.pixels = pixels,
                      .pixel = pixel_bytes(channels),
                      .zero_sum = static_cast<int32_t>(pixels * input.zero_point),
                      .multiplier = input.scale / (output.scale * static_cast<float>(pixels)),
                      .output = output,
                      .from = from,
                      .to = to};
  parallel_for(batch * call.pixel / 16, std::max<int64_t>(1, 8192 / pixels),
               [&](int64_t begin, int64_t end, int) {
                 HWY_DYNAMIC_DISPATCH(pool_pieces)(call, begin, end);
               });
}

void add(int64_t count, const Grid& a_grid, const uint8_t* a, const Grid& b_grid, const uint8_t* b,
         const Grid& output, uint8_t* to) {
  const AddCall call{.a_multiplier = a_grid.scale / output.scale,
                     .b_multiplier = b_grid.scale / output.scale,
                     .a_zero = a_grid.zero_point,
                     .b_zero = b_grid.zero_point,
                     .a = a,
                     .b = b,
                     .output = output,
                     .to = to};
  parallel_for(count, 1 << 16, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(add_bytes)(call, begin, end);
  });
}

void scale_channels(int64_t images, int64_t pixels, int64_t channels, const Grid& map_grid,
                    const uint8_t* map, const Grid& factor_grid, const uint8_t* factors,
                    const Grid& output, uint8_t* to) {
  const ScaleCall call{.pixels = pixels,
                       .pixel = pixel_bytes(channels),
                       .multiplier = map_grid.scale * factor_grid.scale / output.scale,
                       .map_zero = map_grid.zero_point,
                       .factor_zero = factor_grid.zero_point,
                       .map = map,
                       .factors = factors,
                       .output = output,
                       .to = to};
  parallel_for(images * pixels, std::max<int64_t>(1, (1 << 16) / call.pixel),
               [&](int64_t begin, int64_t end, int) {
                 HWY_DYNAMIC_DISPATCH(scale_pixels)(call, begin, end);
               });
}

}  // namespace edgeprune::int8
#endif
