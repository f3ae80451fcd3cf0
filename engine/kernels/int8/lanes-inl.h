// Vectors of 32-bit sums, and products added to them four bytes at a time. With intrinsics, which Highway 1.0.3 has no wrappers for. Empty where there is neither AVX2
// nor NEON: there kernels are plain loops.

#if defined(EDGEPRUNE_INT8_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_LANES_INL_H_
#undef EDGEPRUNE_INT8_LANES_INL_H_
#else
#define EDGEPRUNE_INT8_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include "engine/kernels/int8/product.h"
#include "engine/kernels/quantization.h"

#undef EDGEPRUNE_INT8_VECTORS
#undef EDGEPRUNE_INT8_NEON
#define EDGEPRUNE_INT8_VECTORS (HWY_ARCH_X86 && HWY_MAX_BYTES >= 32)
#define EDGEPRUNE_INT8_NEON (HWY_ARCH_ARM_A64 && HWY_MAX_BYTES >= 16)
#if EDGEPRUNE_INT8_VECTORS
#include <immintrin.h>
#elif EDGEPRUNE_INT8_NEON
#include "engine/kernels/int8/lanes_neon-inl.h"
#endif

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

// Four vectors of sums make one of bytes. Which channel a sum is of, block_channel() says: the order
// that the in-lane unpacking and packing of x86 make and undo.

#if HWY_MAX_BYTES >= 64
using Ints = __m512i;
using Floats = __m512;
inline constexpr int kLanes = 16;

HWY_INLINE Ints load(const void* from) {
  return _mm512_loadu_si512(from);
}
HWY_INLINE Ints broadcast(int32_t x) {
  return _mm512_set1_epi32(x);
}
HWY_INLINE Ints broadcast_byte(int x) {
  return _mm512_set1_epi8(static_cast<char>(x));
}
HWY_INLINE Ints broadcast_word(int x) {
  return _mm512_set1_epi16(static_cast<short>(x));
}
HWY_INLINE Floats load_floats(const float* from) {
  return _mm512_loadu_ps(from);
}
HWY_INLINE Floats broadcast_float(float x) {
  return _mm512_set1_ps(x);
}
HWY_INLINE void store_floats(Floats x, float* to) {
  _mm512_storeu_ps(to, x);
}
HWY_INLINE Ints add(Ints a, Ints b) {
  return _mm512_add_epi32(a, b);
}
HWY_INLINE Ints subtract(Ints a, Ints b) {
  return _mm512_sub_epi32(a, b);
}
HWY_INLINE Ints multiply_bytes(Ints a, Ints w) {
  return _mm512_maddubs_epi16(a, w);
}
HWY_INLINE Ints multiply_words(Ints a, Ints w) {
  return _mm512_madd_epi16(a, w);
}
HWY_INLINE Ints even_unsigned(Ints a) {
  return _mm512_and_si512(a, _mm512_set1_epi16(255));
}
HWY_INLINE Ints odd_unsigned(Ints a) {
  return _mm512_srli_epi16(a, 8);
}
HWY_INLINE Ints even_signed(Ints w) {
  return _mm512_srai_epi16(_mm512_slli_epi16(w, 8), 8);
}
HWY_INLINE Ints odd_signed(Ints w) {
  return _mm512_srai_epi16(w, 8);
}
HWY_INLINE Floats to_floats(Ints a) {
  return _mm512_cvtepi32_ps(a);
}
HWY_INLINE Ints to_nearest(Floats a) {
  return _mm512_cvtps_epi32(a);
}
HWY_INLINE Floats multiply(Floats a, Floats b) {
  return _mm512_mul_ps(a, b);
}
HWY_INLINE Floats add_floats(Floats a, Floats b) {
  return _mm512_add_ps(a, b);
}
HWY_INLINE Floats min_floats(Floats a, Floats b) {
  return _mm512_min_ps(a, b);
}
HWY_INLINE Floats max_floats(Floats a, Floats b) {
  return _mm512_max_ps(a, b);
}
HWY_INLINE Ints pack_words(Ints a, Ints b) {
  return _mm512_packs_epi32(a, b);
}
HWY_INLINE Ints pack_bytes(Ints a, Ints b) {
  return _mm512_packus_epi16(a, b);
}
HWY_INLINE Ints add_words(Ints a, Ints b) {
  return _mm512_adds_epi16(a, b);
}
HWY_INLINE Ints wrap_words(Ints a, Ints b) {
  return _mm512_add_epi16(a, b);
}
HWY_INLINE Ints exclusive_or(Ints a, Ints b) {
  return _mm512_xor_si512(a, b);
}
HWY_INLINE Ints min_bytes(Ints a, Ints b) {
  return _mm512_min_epu8(a, b);
}
HWY_INLINE Ints max_bytes(Ints a, Ints b) {
  return _mm512_max_epu8(a, b);
}
HWY_INLINE Ints low_bytes(Ints a, Ints b) {
  return _mm512_unpacklo_epi8(a, b);
}
HWY_INLINE Ints high_bytes(Ints a, Ints b) {
  return _mm512_unpackhi_epi8(a, b);
}
HWY_INLINE Ints low_words(Ints a, Ints b) {
  return _mm512_unpacklo_epi16(a, b);
}
HWY_INLINE Ints high_words(Ints a, Ints b) {
  return _mm512_unpackhi_epi16(a, b);
}

/// The first 16 * pieces bytes.
HWY_INLINE Ints load_pieces(const uint8_t* from, int pieces) {
  if (pieces == 4) return load(from);
  return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(0xFFFFu >> (16 - 4 * pieces)), from);
}
HWY_INLINE void store_pieces(Ints a, uint8_t* to, int pieces) {
  if (pieces == 4) return _mm512_storeu_si512(to, a);
  _mm512_mask_storeu_epi32(to, static_cast<__mmask16>(0xFFFFu >> (16 - 4 * pieces)), a);
}
/// Bytes in the order of memory, of words or dwords whose packing left each lane's twice or four
/// times.
HWY_INLINE void store_half(Ints a, uint8_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_castsi512_si256(
                          _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 0, 2, 4, 6), a)));
}
HWY_INLINE void store_quarter(Ints a, uint8_t* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm512_castsi512_si128(_mm512_permutexvar_epi32(
                       _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), a)));
}
HWY_INLINE Ints load_as_words(const uint8_t* from) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
HWY_INLINE Ints load_as_ints(const uint8_t* from) {
  return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#else
using Ints = __m256i;
using Floats = __m256;
inline constexpr int kLanes = 8;

HWY_INLINE Ints load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
HWY_INLINE Ints broadcast(int32_t x) {
  return _mm256_set1_epi32(x);
}
HWY_INLINE Ints broadcast_byte(int x) {
  return _mm256_set1_epi8(static_cast<char>(x));
}
HWY_INLINE Ints broadcast_word(int x) {
  return _mm256_set1_epi16(static_cast<short>(x));
}
HWY_INLINE Floats load_floats(const float* from) {
  return _mm256_loadu_ps(from);
}
HWY_INLINE Floats broadcast_float(float x) {
  return _mm256_set1_ps(x);
}
HWY_INLINE void store_floats(Floats x, float* to) {
  _mm256_storeu_ps(to, x);
}
HWY_INLINE Ints add(Ints a, Ints b) {
  return _mm256_add_epi32(a, b);
}
HWY_INLINE Ints subtract(Ints a, Ints b) {
  return _mm256_sub_epi32(a, b);
}
HWY_INLINE Ints multiply_bytes(Ints a, Ints w) {
  return _mm256_maddubs_epi16(a, w);
}
HWY_INLINE Ints multiply_words(Ints a, Ints w) {
  return _mm256_madd_epi16(a, w);
}
HWY_INLINE Ints even_unsigned(Ints a) {
  return _mm256_and_si256(a, _mm256_set1_epi16(255));
}
HWY_INLINE Ints odd_unsigned(Ints a) {
  return _mm256_srli_epi16(a, 8);
}
HWY_INLINE Ints even_signed(Ints w) {
  return _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
}
HWY_INLINE Ints odd_signed(Ints w) {
  return _mm256_srai_epi16(w, 8);
}
HWY_INLINE Floats to_floats(Ints a) {
  return _mm256_cvtepi32_ps(a);
}
HWY_INLINE Ints to_nearest(Floats a) {
  return _mm256_cvtps_epi32(a);
}
HWY_INLINE Floats multiply(Floats a, Floats b) {
  return _mm256_mul_ps(a, b);
}
HWY_INLINE Floats add_floats(Floats a, Floats b) {
  return _mm256_add_ps(a, b);
}
HWY_INLINE Floats min_floats(Floats a, Floats b) {
  return _mm256_min_ps(a, b);
}
HWY_INLINE Floats max_floats(Floats a, Floats b) {
  return _mm256_max_ps(a, b);
}
HWY_INLINE Ints pack_words(Ints a, Ints b) {
  return _mm256_packs_epi32(a, b);
}
HWY_INLINE Ints pack_bytes(Ints a, Ints b) {
  return _mm256_packus_epi16(a, b);
}
HWY_INLINE Ints add_words(Ints a, Ints b) {
  return _mm256_adds_epi16(a, b);
}
HWY_INLINE Ints wrap_words(Ints a, Ints b) {
  return _mm256_add_epi16(a, b);
}
HWY_INLINE Ints exclusive_or(Ints a, Ints b) {
  return _mm256_xor_si256(a, b);
}
HWY_INLINE Ints min_bytes(Ints a, Ints b) {
  return _mm256_min_epu8(a, b);
}
HWY_INLINE Ints max_bytes(Ints a, Ints b) {
  return _mm256_max_epu8(a, b);
}
HWY_INLINE Ints low_bytes(Ints a, Ints b) {
  return _mm256_unpacklo_epi8(a, b);
}
HWY_INLINE Ints high_bytes(Ints a, Ints b) {
  return _mm256_unpackhi_epi8(a, b);
}
HWY_INLINE Ints low_words(Ints a, Ints b) {
  return _mm256_unpacklo_epi16(a, b);
}
HWY_INLINE Ints high_words(Ints a, Ints b) {
  return _mm256_unpackhi_epi16(a, b);
}

HWY_INLINE Ints load_pieces(const uint8_t* from, int pieces) {
  if (pieces == 2) return load(from);
  return _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
HWY_INLINE void store_pieces(Ints a, uint8_t* to, int pieces) {
  if (pieces == 2) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), a);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(a));
}
HWY_INLINE void store_half(Ints a, uint8_t* to) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_castsi256_si128(_mm256_permute4x64_epi64(a, 0x08)));
}
HWY_INLINE Ints load_as_words(const uint8_t* from) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#endif
#endif  // EDGEPRUNE_INT8_VECTORS

#if EDGEPRUNE_INT8_VECTORS || EDGEPRUNE_INT8_NEON

/// Of a vector of bytes, in pieces.
inline constexpr int kPieces = kLanes / 4;

#if EDGEPRUNE_INT8_VECTORS

/// sums + what Product says of four bytes each; `Prepared` is what can be done once for many.
template <Product kProduct>
struct Dot;

template <>
struct Dot<Product::instruction> {
  using Prepared = Ints;
  static HWY_INLINE Prepared bytes(Ints a) { return a; }
  static HWY_INLINE Prepared weights(Ints w) { return w; }
  /// Neither of Highway's targets has the instruction among those that the compiler may use.
  static HWY_INLINE Ints add(Ints sums, Prepared a, Prepared w) {
#if HWY_MAX_BYTES >= 64
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(w));
#else
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(a), "x"(w));
#endif
    return sums;
  }
};

template <>
struct Dot<Product::pairs> {
  using Prepared = Ints;
  static HWY_INLINE Prepared bytes(Ints a) { return a; }
  static HWY_INLINE Prepared weights(Ints w) { return w; }
  static HWY_INLINE Ints add(Ints sums, Prepared a, Prepared w) {
    return int8::HWY_NAMESPACE::add(sums, multiply_words(multiply_bytes(a, w), broadcast_word(1)));
  }
};

template <>
struct Dot<Product::words> {
  struct Prepared {
    Ints even, odd;
  };
  static HWY_INLINE Prepared bytes(Ints a) { return {even_unsigned(a), odd_unsigned(a)}; }
  static HWY_INLINE Prepared weights(Ints w) { return {even_signed(w), odd_signed(w)}; }
  static HWY_INLINE Ints add(Ints sums, const Prepared& a, const Prepared& w) {
    namespace own = int8::HWY_NAMESPACE;
    return own::add(sums, own::add(multiply_words(a.even, w.even), multiply_words(a.odd, w.odd)));
  }
};

#endif  // EDGEPRUNE_INT8_VECTORS

#endif  // EDGEPRUNE_INT8_VECTORS || EDGEPRUNE_INT8_NEON

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_LANES_INL_H_
