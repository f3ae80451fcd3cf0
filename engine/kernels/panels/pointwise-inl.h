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
#include "engine/kernels/panels/transpose-inl.h"
#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::for_each_vector;
using simd::HWY_NAMESPACE::Partial;
using simd::HWY_NAMESPACE::Vec;
using simd::HWY_NAMESPACE::with_activation;

// Vectors of sums that a tile keeps, beside its factors: of 32 registers with AVX-512, 16 before.
constexpr int kSums = HWY_CAP_GE512 ? 24 : 12;
constexpr int kMostVectors = kSums / 6;  // of columns
// Weights are fetched this many channels ahead: at batch 1 they come from the third-level cache.
// In narrow tiles so many products ahead, some 300 cycles; in wide ones, where it takes no bandwidth
// worth mentioning, more.
constexpr int kWideAhead = 64;
constexpr int kNarrowProductsAhead = 600;

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

/// Rows along the vectors: kVectors of rows by kColumns columns. The input is a panel, or channels in
/// vectors: [channels / kLanes][columns][kLanes], `width` floats from one such vector to the next. The
/// output is in vectors of its rows, `output_row` floats from one to the next. A residual is left to
/// finish_rows().
template <bool kPanel, int kVectors, int kColumns>
void narrow_tile(const Tile& tile) {
  constexpr int kAhead = kNarrowProductsAhead / (kVectors * kColumns);
  constexpr int kChannels = kPanel ? 1 : kLanes;  // side by side in the input
  constexpr int kColumn = kPanel ? 1 : kLanes;    // floats from one to the next
  const F32 d;
  Vec sum[kVectors][kColumns];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const int64_t rows = std::max<int64_t>(0, tile.rows - v * kLanes);
    const Vec bias = Partial(static_cast<size_t>(rows)).load(tile.bias + v * kLanes);
#pragma GCC unroll 12
    for (int c = 0; c < kColumns; ++c) sum[v][c] = bias;
  }
  const float* w = tile.weights;
  const float* input = tile.input;
  const int64_t width = tile.width;
  for (int64_t k = 0; k < tile.channels; k += kChannels, input += width) {
    for (const float *x = input, *end = x + kChannels; x != end; ++x, w += kVectors * kLanes) {
      Vec left[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        left[v] = hn::LoadU(d, w + v * kLanes);
        __builtin_prefetch(w + (kAhead * kVectors + v) * kLanes);
      }
#pragma GCC unroll 12
      for (int c = 0; c < kColumns; ++c) {
        const Vec right = hn::Set(d, x[c * kColumn]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[v][c] = hn::MulAdd(left[v], right, sum[v][c]);
      }
    }
  }
  with_activation(tile.activation, [&](const auto& activate) HWY_ATTR {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 12
      for (int c = 0; c < kColumns; ++c) {
        hn::StoreU(activate(sum[v][c]), d, tile.output + v * tile.output_row + c * kLanes);
      }
    }
  });
}

constexpr int kNarrowVectors = 8, kNarrowColumns = 12;  // at most, of the tiles that there are
constexpr int kVectorsOfRows = HWY_CAP_GE512 ? 3 : 2;   // in panels of more than eight columns
constexpr int kSumsOfItem =
    std::max(8 * kNarrowVectors, int{PanelLayout::kWidth} * kVectorsOfRows) * kLanes;
constexpr int columns_of_tile(int vectors) {
  return std::min(kNarrowColumns, (HWY_CAP_GE512 && vectors == 3 ? 27 : kSums) / vectors);
}

template <bool kPanel, int kVectors, int... kIndex>
constexpr auto narrow_tiles(std::integer_sequence<int, kIndex...>) {
  return std::array<TileFunction, kNarrowColumns>{narrow_tile<kPanel, kVectors, kIndex + 1>...};
}
template <bool kPanel, int... kIndex>
constexpr auto all_narrow_tiles(std::integer_sequence<int, kIndex...>) {
  return std::array{narrow_tiles<kPanel, kIndex + 1>(
      std::make_integer_sequence<int, columns_of_tile(kIndex + 1)>())...};
}
/// narrow_tile() for 1, 2 ... vectors and 1, 2 ... columns, those that fit the registers.
template <bool kPanel>
inline constexpr auto kNarrowTiles = all_narrow_tiles<kPanel>(
    std::make_integer_sequence<int, kPanel ? kNarrowVectors : kVectorsOfRows>());

/// `tile`, so many vectors of rows, for `columns` columns from its first on, in narrow tiles.
template <bool kPanel>
void run_narrow_tiles(const Tile& tile, int64_t vectors, int64_t columns) {
  const auto& functions = kNarrowTiles<kPanel>[static_cast<size_t>(vectors - 1)];
  const int64_t most = columns_of_tile(static_cast<int>(vectors));
  const int64_t count = (columns + most - 1) / most;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t first = columns * i / count, last = columns * (i + 1) / count;
    Tile part = tile;
    part.input += first * (kPanel ? 1 : kLanes);
    part.output += first * kLanes;
    functions[static_cast<size_t>(last - first - 1)](part);
  }
}

/// Rows of a panel from sums of narrow tiles, [rows / kLanes][columns][kLanes].
struct FinishedRows {
  const float* sums;
  int64_t rows, columns;
  const float* residual;  ///< may be null
  int64_t residual_row;
  float* output;
  int64_t output_row;

  /// kLanes rows from `row` on of column c; of columns that do not exist, zeros.
  HWY_INLINE Vec load(int64_t row, int64_t c) const {
    return c < columns ? hn::Load(F32(), sums + row * columns + c * kLanes) : hn::Zero(F32());
  }
};

/// Into panels of 4 or 8 columns, whose rows follow each other without gaps.
template <int kWidth, typename Activate>
void finish_narrow_rows(const FinishedRows& f, const Activate& activate) {
  const F32 d;
  for (int64_t row = 0; row < f.rows; row += kLanes) {
    HWY_ALIGN float transposed[kLanes * kWidth];
    if constexpr (kWidth == 4) {
      hn::StoreInterleaved4(f.load(row, 0), f.load(row, 1), f.load(row, 2), f.load(row, 3), d,
                            transposed);
    } else {
      const hn::FixedTag<float, 4> half;
      HWY_ALIGN float left[4 * kLanes], right[4 * kLanes];
      hn::StoreInterleaved4(f.load(row, 0), f.load(row, 1), f.load(row, 2), f.load(row, 3), d,
                            left);
      hn::StoreInterleaved4(f.load(row, 4), f.load(row, 5), f.load(row, 6), f.load(row, 7), d,
                            right);
      for (int r = 0; r < kLanes; ++r) {
        hn::Store(hn::Load(half, left + 4 * r), half, transposed + 8 * r);
        hn::Store(hn::Load(half, right + 4 * r), half, transposed + 8 * r + 4);
      }
    }
    const int64_t first = row * kWidth;
    for_each_vector(std::min<int64_t>(f.rows - row, kLanes) * kWidth,
                    [&](auto access, int64_t i) HWY_ATTR {
                      Vec y = access.load(transposed + i);
                      if (f.residual != nullptr) {
                        y = hn::Add(y, access.load(f.residual + first + i));
                      }
                      access.store(activate(y), f.output + first + i);
                    });
  }
}

/// Into wider panels, whole vectors of columns.
template <typename Activate>
void finish_wide_rows(const FinishedRows& f, const Activate& activate) {
  const F32 d;
  for (int64_t row = 0; row < f.rows; row += kLanes) {
    const int64_t rows = std::min<int64_t>(f.rows - row, kLanes);
    for (int64_t column = 0; column < f.columns; column += kLanes) {
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) block[i] = f.load(row, column + i);
      transpose(block);
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) {
        if (r >= rows) break;
        Vec y = block[r];
        if (f.residual != nullptr) {
          y = hn::Add(y, hn::LoadU(d, f.residual + (row + r) * f.residual_row + column));
        }
        hn::StoreU(activate(y), d, f.output + (row + r) * f.output_row + column);
      }
    }
  }
}

#endif  // not HWY_SCALAR

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
