// Register tiles of pointwise.cpp; included once per instruction set by Highway's foreach_target.h.
#if defined(EDGEPRUNE_PANELS_POINTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_PANELS_POINTWISE_INL_H_
#undef EDGEPRUNE_PANELS_POINTWISE_INL_H_
#else
#define EDGEPRUNE_PANELS_POINTWISE_INL_H_
#endif

#include <algorithm>
#include <array>
#include <utility>

#include "engine/kernels/panels/pointwise_packing.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::for_each_vector;
using simd::HWY_NAMESPACE::Partial;
using simd::HWY_NAMESPACE::Vec;
using simd::HWY_NAMESPACE::with_activation;

constexpr int kLanes = hn::MaxLanes(F32());
// Vectors of sums that a tile keeps, beside its factors: of 32 registers with AVX-512, 16 before.
constexpr int kSums = HWY_CAP_GE512 ? 24 : 12;
constexpr int kMostVectors = kSums / 6;  // of columns
// Weights are fetched this many channels ahead: at batch 1 they come from the third-level cache.
// Some 300 cycles in narrow tiles; in wide ones, where it takes no bandwidth worth mentioning,
// more.
constexpr int kWideAhead = 64;
constexpr int kNarrowAhead = 24;

/// What a tile works on. Pointers at its first row, channel and column; rows of input and residual
/// are `width` floats apart, those of the output `output_row`. residual may be null.
struct Tile {
  const float* weights;
  const float* input;
  int64_t channels, width;
  const float *bias, *residual;
  ActivationForm activation;
  float* output;
  int64_t output_row;
  int64_t rows;  ///< of the output
};

using TileFunction = void (*)(const Tile&);

/// Columns along the vectors: kRows of the output by kVectors of columns.
template <int kRows, int kVectors>
void wide_tile(const Tile& tile) {
  const F32 d;
  const int64_t width = tile.width;
  Vec sum[kRows][kVectors];
#pragma GCC unroll 24
  for (int r = 0; r < kRows; ++r) {
    const Vec bias = hn::Set(d, tile.bias[r]);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = bias;
  }
  if (const float* from = tile.residual; from != nullptr) {
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r, from += width) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = hn::Add(sum[r][v], hn::LoadU(d, from + v * kLanes));
      }
    }
  }
  const float* w = tile.weights;
  const float* x = tile.input;
  float* to = tile.output;
  const int64_t output_row = tile.output_row;
  for (const float* end = w + tile.channels * kRows; w != end; w += kRows, x += width) {
    Vec right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, x + v * kLanes);
#pragma GCC unroll 2
    for (int r = 0; r < kRows; r += 16) __builtin_prefetch(w + kWideAhead * kRows + r);
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) {
      const Vec left = hn::Set(d, w[r]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
    }
  }
  with_activation(tile.activation, [&](const auto& activate) HWY_ATTR {
#pragma GCC unroll 24
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        hn::StoreU(activate(sum[r][v]), d, to + r * output_row + v * kLanes);
      }
    }
  });
}

template <int kVectors, int... kIndex>
constexpr auto wide_tiles(std::integer_sequence<int, kIndex...>) {
  return std::array<TileFunction, sizeof...(kIndex)>{wide_tile<kIndex + 1, kVectors>...};
}
/// wide_tile() for 1, 2 ... rows at index 0, 1 ...
template <int kVectors>
inline constexpr auto kWideTiles =
    wide_tiles<kVectors>(std::make_integer_sequence<int, kSums / kVectors>());

inline TileFunction wide_tile_of([[maybe_unused]] int64_t vectors, int64_t rows) {
  const auto index = static_cast<size_t>(rows - 1);
#if HWY_CAP_GE512
  if (vectors == 4) return kWideTiles<4>[index];
  if (vectors == 3) return kWideTiles<3>[index];
  if (vectors == 1) return kWideTiles<1>[index];
#endif
  return kWideTiles<2>[index];
}

#if HWY_TARGET != HWY_SCALAR

/// Rows along the vectors: kVectors of rows by kColumns columns, the panel's width.
template <int kVectors, int kColumns>
void narrow_tile(const Tile& tile) {
  const F32 d;
  const int64_t rows = std::min<int64_t>(tile.rows, kVectors * kLanes);
  Vec sum[kVectors][kColumns];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const Vec bias = Partial(static_cast<size_t>(rows - v * kLanes)).load(tile.bias + v * kLanes);
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) sum[v][c] = bias;
  }
  const float* w = tile.weights;
  const float* x = tile.input;
  for (int64_t k = 0; k < tile.channels; ++k, w += kVectors * kLanes, x += kColumns) {
    Vec left[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      left[v] = hn::LoadU(d, w + v * kLanes);
      __builtin_prefetch(w + (kNarrowAhead * kVectors + v) * kLanes);
    }
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const Vec right = hn::Set(d, x[c]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[v][c] = hn::MulAdd(left[v], right, sum[v][c]);
    }
  }
  HWY_ALIGN float transposed[kVectors * kLanes * kColumns];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    float* to = transposed + v * kLanes * kColumns;
    const auto& s = sum[v];
    if constexpr (kColumns == 4) {
      hn::StoreInterleaved4(s[0], s[1], s[2], s[3], d, to);
    } else {
      const hn::FixedTag<float, 4> half;
      HWY_ALIGN float left[4 * kLanes], right[4 * kLanes];
      hn::StoreInterleaved4(s[0], s[1], s[2], s[3], d, left);
      hn::StoreInterleaved4(s[4], s[5], s[6], s[7], d, right);
      for (int r = 0; r < kLanes; ++r) {
        hn::Store(hn::Load(half, left + 4 * r), half, to + 8 * r);
        hn::Store(hn::Load(half, right + 4 * r), half, to + 8 * r + 4);
      }
    }
  }
  with_activation(tile.activation, [&](const auto& activate) HWY_ATTR {
    for_each_vector(rows * kColumns, [&](auto access, int64_t i) HWY_ATTR {
      Vec y = access.load(transposed + i);
      if (tile.residual != nullptr) y = hn::Add(y, access.load(tile.residual + i));
      access.store(activate(y), tile.output + i);
    });
  });
}

template <int kColumns, int... kIndex>
constexpr auto narrow_tiles(std::integer_sequence<int, kIndex...>) {
  return std::array<TileFunction, sizeof...(kIndex)>{narrow_tile<kIndex + 1, kColumns>...};
}
/// narrow_tile() for 1, 2 ... vectors at index 0, 1 ...
template <int kColumns>
inline constexpr auto kNarrowTiles =
    narrow_tiles<kColumns>(std::make_integer_sequence<int, kSums / kColumns>());

#endif  // not HWY_SCALAR

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
