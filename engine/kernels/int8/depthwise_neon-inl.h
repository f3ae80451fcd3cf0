// Depthwise convolutions on NEON: any kernel size, stride and padding, sixteen channels side by side.

#if defined(EDGEPRUNE_INT8_DEPTHWISE_NEON_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_DEPTHWISE_NEON_INL_H_
#undef EDGEPRUNE_INT8_DEPTHWISE_NEON_INL_H_
#else
#define EDGEPRUNE_INT8_DEPTHWISE_NEON_INL_H_
#endif

#include "engine/kernels/int8/depthwise_columns-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_NEON

/// Sums of sixteen channels.
struct SixteenSums {
  explicit HWY_INLINE SixteenSums(const int32_t* bias) {
    for (int v = 0; v < 4; ++v) sums[v] = load(bias + 4 * v);
  }
  HWY_INLINE void add_words(int16x8_t low, int16x8_t high) {
    sums[0] = vaddw_s16(sums[0], vget_low_s16(low));
    sums[1] = vaddw_high_s16(sums[1], low);
    sums[2] = vaddw_s16(sums[2], vget_low_s16(high));
    sums[3] = vaddw_high_s16(sums[3], high);
  }
  /// Inputs up to 127: the products of two taps fit 16 bits (2 * 127 * 127 = 32,258).
  HWY_INLINE void add_two(int8x16_t x, int8x16_t w, int8x16_t x2, int8x16_t w2) {
    add_words(vmlal_s8(vmull_s8(vget_low_s8(x), vget_low_s8(w)), vget_low_s8(x2), vget_low_s8(w2)),
              vmlal_high_s8(vmull_high_s8(x, w), x2, w2));
  }
  HWY_INLINE void add(int8x16_t x, int8x16_t w) {
    add_words(vmull_s8(vget_low_s8(x), vget_low_s8(w)), vmull_high_s8(x, w));
  }
  /// Inputs up to 255.
  HWY_INLINE void add_widened(uint8x16_t x, int8x16_t w) {
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(x));
    const int16x8_t w_low = vmovl_s8(vget_low_s8(w)), w_high = vmovl_high_s8(w);
    sums[0] = vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(w_low));
    sums[1] = vmlal_high_s16(sums[1], low, w_low);
    sums[2] = vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(w_high));
    sums[3] = vmlal_high_s16(sums[3], high, w_high);
  }
  Ints sums[4];
};

/// What an output's window reads, tap by tap.
struct WindowTaps {
  HWY_INLINE const uint8_t* next() {
    const bool inside = h >= 0 && h < shape.in_height && w >= 0 && w < shape.in_width;
    const uint8_t* at = inside ? map + (h * shape.in_width + w) * pixel : padding;
    if (++w == left + shape.kernel) w = left, ++h;
    return at;
  }
  const Conv2dShape& shape;
  const uint8_t* map;
  int64_t pixel;
  const uint8_t* padding;
  int64_t h, left, w = left;
};

template <Product kProduct>
void depthwise_neon_items(const DepthwiseCall& call, int64_t begin, int64_t end) {
  const PackedDepthwise& packed = call.weights;
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels), taps = s.kernel * s.kernel;
  const Requantizer to_bytes(call.output);
  for (int64_t i = begin; i < end; ++i) {
    const DepthwiseItem item(call, i);
    const int64_t first = item.block * 16;
    const uint8_t* map = call.input + item.image * s.in_height * s.in_width * pixel + first;
    uint8_t* to =
        call.to + (item.image * s.out_height() + item.row) * s.out_width() * pixel + first;
    for (int64_t x = 0; x < s.out_width(); ++x, to += pixel) {
      SixteenSums sums(packed.bias() + first);
      WindowTaps window{s,
                        map,
                        pixel,
                        packed.padding.data(),
                        item.row * s.stride - s.padding,
                        x * s.stride - s.padding};
      const int8_t* weights = packed.values() + first;
      if constexpr (kProduct == Product::words) {
        for (int64_t tap = 0; tap < taps; ++tap, weights += pixel) {
          sums.add_widened(vld1q_u8(window.next()), vld1q_s8(weights));
        }
      } else {
        const auto next = [&]() HWY_ATTR { return vreinterpretq_s8_u8(vld1q_u8(window.next())); };
        int64_t left = taps;
        for (; left > 1; left -= 2, weights += 2 * pixel) {
          const int8x16_t one = next(), two = next();
          sums.add_two(one, vld1q_s8(weights), two, vld1q_s8(weights + pixel));
        }
        if (left > 0) sums.add(next(), vld1q_s8(weights));
      }
      Floats y[4];
      for (int v = 0; v < 4; ++v) {
        y[v] = multiply(to_floats(sums.sums[v]), load_floats(packed.multipliers() + first + 4 * v));
      }
      store_bytes<4>(to_bytes, y, to);
    }
  }
}

#endif  // EDGEPRUNE_INT8_NEON

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_DEPTHWISE_NEON_INL_H_
