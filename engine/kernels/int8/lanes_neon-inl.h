// The operations of lanes-inl.h on NEON's vectors of 16 bytes.

#if defined(EDGEPRUNE_INT8_LANES_NEON_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_LANES_NEON_INL_H_
#undef EDGEPRUNE_INT8_LANES_NEON_INL_H_
#else
#define EDGEPRUNE_INT8_LANES_NEON_INL_H_
#endif

#include <arm_neon.h>

#include "engine/kernels/int8/product.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

using Ints = int32x4_t;
using Floats = float32x4_t;
inline constexpr int kLanes = 4;

HWY_INLINE int16x8_t words_of(Ints a) {
  return vreinterpretq_s16_s32(a);
}
HWY_INLINE uint8x16_t bytes_of(Ints a) {
  return vreinterpretq_u8_s32(a);
}
HWY_INLINE int8x16_t signed_bytes_of(Ints a) {
  return vreinterpretq_s8_s32(a);
}

HWY_INLINE Ints load(const void* from) {
  return vreinterpretq_s32_u8(vld1q_u8(static_cast<const uint8_t*>(from)));
}
HWY_INLINE Ints broadcast(int32_t x) {
  return vdupq_n_s32(x);
}
HWY_INLINE Ints broadcast_byte(int x) {
  return vreinterpretq_s32_s8(vdupq_n_s8(static_cast<int8_t>(x)));
}
HWY_INLINE Ints broadcast_word(int x) {
  return vreinterpretq_s32_s16(vdupq_n_s16(static_cast<int16_t>(x)));
}
HWY_INLINE Floats load_floats(const float* from) {
  return vld1q_f32(from);
}
HWY_INLINE Floats broadcast_float(float x) {
  return vdupq_n_f32(x);
}
HWY_INLINE void store_floats(Floats x, float* to) {
  vst1q_f32(to, x);
}
HWY_INLINE Ints add(Ints a, Ints b) {
  return vaddq_s32(a, b);
}
HWY_INLINE Ints subtract(Ints a, Ints b) {
  return vsubq_s32(a, b);
}
HWY_INLINE Floats to_floats(Ints a) {
  return vcvtq_f32_s32(a);
}
HWY_INLINE Ints to_nearest(Floats a) {
  return vcvtnq_s32_f32(a);
}
HWY_INLINE Floats multiply(Floats a, Floats b) {
  return vmulq_f32(a, b);
}
HWY_INLINE Floats add_floats(Floats a, Floats b) {
  return vaddq_f32(a, b);
}
HWY_INLINE Floats min_floats(Floats a, Floats b) {
  return vminq_f32(a, b);
}
HWY_INLINE Floats max_floats(Floats a, Floats b) {
  return vmaxq_f32(a, b);
}
HWY_INLINE Ints pack_words(Ints a, Ints b) {
  return vreinterpretq_s32_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)));
}
HWY_INLINE Ints pack_bytes(Ints a, Ints b) {
  return vreinterpretq_s32_u8(vcombine_u8(vqmovun_s16(words_of(a)), vqmovun_s16(words_of(b))));
}
HWY_INLINE Ints add_words(Ints a, Ints b) {
  return vreinterpretq_s32_s16(vqaddq_s16(words_of(a), words_of(b)));
}
HWY_INLINE Ints min_bytes(Ints a, Ints b) {
  return vreinterpretq_s32_u8(vminq_u8(bytes_of(a), bytes_of(b)));
}
HWY_INLINE Ints max_bytes(Ints a, Ints b) {
  return vreinterpretq_s32_u8(vmaxq_u8(bytes_of(a), bytes_of(b)));
}
HWY_INLINE Ints low_bytes(Ints a, Ints b) {
  return vreinterpretq_s32_u8(vzip1q_u8(bytes_of(a), bytes_of(b)));
}
HWY_INLINE Ints high_bytes(Ints a, Ints b) {
  return vreinterpretq_s32_u8(vzip2q_u8(bytes_of(a), bytes_of(b)));
}
HWY_INLINE Ints low_words(Ints a, Ints b) {
  return vreinterpretq_s32_s16(vzip1q_s16(words_of(a), words_of(b)));
}
HWY_INLINE Ints high_words(Ints a, Ints b) {
  return vreinterpretq_s32_s16(vzip2q_s16(words_of(a), words_of(b)));
}
HWY_INLINE void store_pieces(Ints a, uint8_t* to, int) {
  vst1q_u8(to, bytes_of(a));
}

// NEON multiplies bytes of one kind: inputs are taken less 128, so that they have signs as weights do. Biases make
// up for it.

HWY_INLINE Ints less_128(Ints a) {
  return vreinterpretq_s32_u8(veorq_u8(bytes_of(a), vdupq_n_u8(128)));
}

/// sums + products of four bytes each, by the dot product of Armv8.2.
HWY_INLINE Ints add_dot(Ints sums, Ints a, Ints w) {
  // Highway's target is without it, so the assembler has to be told that it may be used.
  asm(".arch_extension dotprod\n\tsdot %0.4s, %1.16b, %2.16b" : "+w"(sums) : "w"(a), "w"(w));
  return sums;
}

/// Of two fours of channels the same without: products of both are summed at 16 bits, which they always fit
/// (2 * 128 * 127 = 32,512), and then in pairs.
struct PairSums {
  HWY_INLINE void add(Ints a, Ints w, Ints a2, Ints w2) {
    const int8x16_t x = signed_bytes_of(a), y = signed_bytes_of(w);
    const int8x16_t x2 = signed_bytes_of(a2), y2 = signed_bytes_of(w2);
    low = vpadalq_s16(
        low, vmlal_s8(vmull_s8(vget_low_s8(x), vget_low_s8(y)), vget_low_s8(x2), vget_low_s8(y2)));
    high = vpadalq_s16(high, vmlal_high_s8(vmull_high_s8(x, y), x2, y2));
  }
  HWY_INLINE void add(Ints a, Ints w) {
    const int8x16_t x = signed_bytes_of(a), y = signed_bytes_of(w);
    low = vpadalq_s16(low, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    high = vpadalq_s16(high, vmull_high_s8(x, y));
  }
  HWY_INLINE Ints sums() const { return vpaddq_s32(low, high); }
  Ints low = vdupq_n_s32(0), high = vdupq_n_s32(0);
};

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_LANES_NEON_INL_H_
