// Transposes in registers; included once per instruction set by Highway's foreach_target.h, hence
// no #pragma once.
#if defined(EDGEPRUNE_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_TRANSPOSE_INL_H_
#undef EDGEPRUNE_TRANSPOSE_INL_H_
#else
#define EDGEPRUNE_TRANSPOSE_INL_H_
#endif

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Vec;

inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));

#if HWY_TARGET != HWY_SCALAR

/// 4x4 transposes inside the blocks of four lanes: lane 4b + j of v[i] and lane 4b + i of v[j]
/// trade places.
HWY_INLINE void transpose_blocks(Vec* HWY_RESTRICT v) {
  const F32 d;
  const hn::Repartition<double, F32> pairs;
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, v[0], v[1]));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[0], v[1]));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, v[2], v[3]));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, v[2], v[3]));
  v[0] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
  v[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
  v[2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
  v[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
}

/// kLanes vectors: lane j of v[i] and lane i of v[j] trade places.
HWY_INLINE void transpose(Vec* HWY_RESTRICT v) {
  static_assert(kLanes == 4 || kLanes == 8 || kLanes == 16);
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) transpose_blocks(v + i);
#if HWY_MAX_BYTES >= 32
  const F32 d;
  if constexpr (kLanes == 16) {
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += i % 4 == 3 ? 5 : 1) {
      const Vec low = v[i], high = v[i + 4];
      v[i] = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(high), low);
      v[i + 4] = hn::OddEvenBlocks(high, hn::SwapAdjacentBlocks(low));
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kLanes / 2; ++i) {
    const Vec low = v[i], high = v[i + kLanes / 2];
    v[i] = hn::ConcatLowerLower(d, high, low);
    v[i + kLanes / 2] = hn::ConcatUpperUpper(d, high, low);
  }
#endif
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
