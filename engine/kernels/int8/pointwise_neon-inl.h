// The products of pointwise.cpp on NEON.

#if defined(EDGEPRUNE_INT8_POINTWISE_NEON_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_POINTWISE_NEON_INL_H_
#undef EDGEPRUNE_INT8_POINTWISE_NEON_INL_H_
#else
#define EDGEPRUNE_INT8_POINTWISE_NEON_INL_H_
#endif

#include <cstring>

#include "engine/kernels/int8/lanes-inl.h"
#include "engine/kernels/int8/pointwise_packing.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_NEON

/// Fours of channels of some pixels, one behind another (Pixels).
template <bool kOnePiece, int kPixels>
struct NeonInputs {
  HWY_INLINE NeonInputs(const PointwiseCall& call, const uint8_t* first)
      : in(first),
        stride(call.input.pixel),
        piece(call.weights.quads() / call.input.pieces),
        jump(call.input.piece_bytes - 4 * piece),
        left(piece) {}
  HWY_INLINE void next(Ints (&x)[kPixels]) {
    if constexpr (!kOnePiece) {
      if (left == 0) in += jump, left = piece;
      --left;
    }
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; ++p) {
      int32_t four;
      std::memcpy(&four, in + p * stride, sizeof four);
      x[p] = less_128(broadcast(four));
    }
    in += 4;
  }
  const uint8_t* in;
  int64_t stride, piece, jump, left;
};

/// sums += the products of all fours.
template <bool kDot, bool kOnePiece, int kPixels, int kVectors>
HWY_INLINE void add_neon(const PointwiseCall& call, const int8_t* w, const uint8_t* in,
                         Ints (&sums)[kVectors][kPixels]) {
  constexpr int kBytes = 4 * kLanes, kFour = kVectors * kBytes;
  NeonInputs<kOnePiece, kPixels> inputs(call, in);
  int64_t fours = call.weights.quads();
  if constexpr (kDot) {
    for (; fours > 0; --fours, w += kFour) {
      Ints x[kPixels];
      inputs.next(x);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const Ints weights = load(w + v * kBytes);
#pragma GCC unroll 4
        for (int p = 0; p < kPixels; ++p) sums[v][p] = add_dot(sums[v][p], x[p], weights);
      }
    }
    return;
  }
  PairSums pairs[kVectors][kPixels];
  for (; fours > 1; fours -= 2, w += 2 * kFour) {
    Ints x[kPixels], x2[kPixels];
    inputs.next(x);
    inputs.next(x2);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Ints one = load(w + v * kBytes), two = load(w + kFour + v * kBytes);
#pragma GCC unroll 4
      for (int p = 0; p < kPixels; ++p) pairs[v][p].add(x[p], one, x2[p], two);
    }
  }
  if (fours > 0) {
    Ints x[kPixels];
    inputs.next(x);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
      for (int p = 0; p < kPixels; ++p) pairs[v][p].add(x[p], load(w + v * kBytes));
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; ++p) sums[v][p] = add(sums[v][p], pairs[v][p].sums());
  }
}

#endif  // EDGEPRUNE_INT8_NEON

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_POINTWISE_NEON_INL_H_
