// Depthwise kernels for one image of the sizes that networks have: columns are pixels, a vector of
// outputs is a piece of a row or several whole rows. Included once per instruction set by Highway's
// foreach_target.h, hence no #pragma once.
#if defined(EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#undef EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#endif

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/kernels/panels/depthwise-inl.h"
#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

/// How a square map, kSize pixels a side, is cut into vectors and tiles of vectors one below the
/// other. Known at compile time, as the addresses in a tile then are.
template <int kSize, int kStride>
struct Tiling {
  static constexpr int kOut = kSize / kStride;
  static constexpr int kRows = std::max(1, kLanes / kOut);    ///< of outputs in a vector
  static constexpr int kPieces = std::max(1, kOut / kLanes);  ///< vectors in a row of outputs
  static constexpr int kTile = std::min(4, kOut / kRows);     ///< vectors
  static constexpr int kTiles = kOut / kRows / kTile;         ///< one below the other
  static constexpr int kStep = kRows * kStride;  ///< rows of inputs from a vector to the next
  static constexpr bool kExists = kSize % kStride == 0 && kOut * kRows * kPieces >= kLanes &&
                                  kOut % kRows == 0 && kRows <= 4 && (kRows == 1 || kTiles == 1);
};

/// What one row of taps reads for a vector of outputs.
struct Window {
  Vec left, middle, right;
};

/// Makes the windows of one piece of the rows.
template <int kSize, int kStride, int kPiece>
class Windows {
  using T = Tiling<kSize, kStride>;

 public:
  /// At stride 2 the left inputs are the odd ones moved by a lane: cheaper to move their sums. at()
  /// leaves them unmoved then.
  static constexpr bool kShiftLeftSums = kStride == 2 && kPiece == 0;
  HWY_INLINE Vec shift_left_sums(Vec sums) const { return from_left_(sums); }

  /// Of the outputs whose row of taps starts on that row of the tile at `tile`.
  HWY_INLINE Window at(const Columns<const float>& tile, int row) const {
    const F32 d;
    if constexpr (kStride == 1) {
      const Vec middle = rows(tile, row);
      if constexpr (T::kRows > 1) return {from_left_(middle), middle, from_right_(middle)};
      const float* x = pointer(tile, row);
      return {kPiece == 0 ? from_left_(middle) : hn::LoadU(d, x - 1), middle,
              kPiece == T::kPieces - 1 ? from_right_(middle) : hn::LoadU(d, x + 1)};
    } else {
      const auto [low, high] = two_vectors(tile, row);
      const Vec odd = hn::ConcatOdd(d, high, low), even = hn::ConcatEven(d, high, low);
      if constexpr (kShiftLeftSums) return {odd, even, odd};
      const float* x = pointer(tile, row);
      return {hn::ConcatEven(d, hn::LoadU(d, x + kLanes - 1), hn::LoadU(d, x - 1)), even, odd};
    }
  }

  /// Stride 1, the whole map in a vector: the sums of the rows of taps are moved, not the inputs.
  HWY_INLINE Vec convolve_vector(const float* map, const Filter& filter) const {
    const Vec middle = hn::LoadU(F32(), map);
    const Vec left = from_left_(middle), right = from_right_(middle);
    const Vec* taps = filter.taps;
    Vec above = hn::Mul(left, taps[0]), sum = hn::MulAdd(left, taps[3], filter.bias),
        below = hn::Mul(left, taps[6]);
    above = hn::MulAdd(middle, taps[1], above), sum = hn::MulAdd(middle, taps[4], sum);
    below = hn::MulAdd(middle, taps[7], below), above = hn::MulAdd(right, taps[2], above);
    sum = hn::MulAdd(right, taps[5], sum), below = hn::MulAdd(right, taps[8], below);
    return hn::Add(hn::Add(sum, from_above_(above)), from_below_(below));
  }

 private:
  /// A pixel, counted from the tile's first.
  static HWY_INLINE const float* pixel(const Columns<const float>& tile, int column) {
    if constexpr (kSize * kSize <= PanelLayout::kWidth) return tile.data + column;
    return tile.at(column);  // the tile starts where a panel does
  }
  static HWY_INLINE const float* pointer(const Columns<const float>& tile, int row) {
    return pixel(tile, row * kSize + kPiece * kLanes * kStride);
  }
  /// Stride 1: T::kRows rows of inputs.
  HWY_INLINE Vec rows(const Columns<const float>& tile, int row) const {
    const F32 d;
    if constexpr (T::kRows > 1) {
      if (row < 0) return from_above_(hn::LoadU(d, pixel(tile, 0)));
      constexpr int kLast = kSize - T::kRows;
      if (row > kLast) return from_below_(hn::LoadU(d, pixel(tile, kLast * kSize)));
    }
    return hn::LoadU(d, pointer(tile, row));
  }
  /// Stride 2: T::kRows rows of inputs, of which every other is one of `row`, `row` + 2, ...
  HWY_INLINE std::pair<Vec, Vec> two_vectors(const Columns<const float>& tile, int row) const {
    const F32 d;
    if constexpr (T::kRows == 1) {
      return {hn::LoadU(d, pointer(tile, row)), hn::LoadU(d, pointer(tile, row) + kLanes)};
    } else if constexpr (T::kRows == 2) {
      return {row < 0 ? hn::Zero(d) : hn::LoadU(d, pixel(tile, row * kSize)),
              hn::LoadU(d, pixel(tile, (row + 2) * kSize))};
    } else {
      static_assert(kSize == 8 && T::kRows == 4);
      const auto every_other = [&](int first) HWY_ATTR {
        const Vec a = hn::LoadU(d, pixel(tile, first / 2 * kLanes));
        const Vec b = hn::LoadU(d, pixel(tile, (first / 2 + 1) * kLanes));
        return first % 2 == 0 ? hn::ConcatLowerLower(d, b, a) : hn::ConcatUpperUpper(d, b, a);
      };
      if (row >= 0) return {every_other(row), every_other(row + 4)};
      const Vec rows1_3 = every_other(1), rows5_7 = every_other(5);
      return {from_above_(rows1_3), hn::ConcatLowerLower(d, rows5_7, from_below_(rows1_3))};
    }
  }

  static constexpr int kPeriod = std::min(kLanes, T::kOut);
  Slide from_left_{-1, kPeriod}, from_right_{1, kPeriod};
  Slide from_above_{-kSize, kLanes}, from_below_{kSize, kLanes};
};

/// One piece of the rows of one tile, from the tile's first pixel to its first output.
template <Activation kActivation, int kSize, int kStride, int kPiece>
HWY_INLINE void convolve_tile(const Windows<kSize, kStride, kPiece>& windows,
                              const Columns<const float>& x, const Filter& filter, int tile,
                              const Columns<float>& y) {
  using T = Tiling<kSize, kStride>;
  constexpr int kWindows = T::kStep * (T::kTile - 1) + 3;
  Vec sums[T::kTile], left_sums[T::kTile];
#pragma GCC unroll 4
  for (int t = 0; t < T::kTile; ++t) sums[t] = filter.bias, left_sums[t] = hn::Zero(F32());
#pragma GCC unroll 16
  for (int k = 0; k < kWindows; ++k) {
    if (T::kRows == 1 && k == 0 && tile == 0) continue;
    if (T::kRows == 1 && kStride == 1 && k == kWindows - 1 && tile == T::kTiles - 1) continue;
    if (T::kStep > 3 && k % T::kStep > 2) continue;
    const Window window = windows.at(x, k - 1);
#pragma GCC unroll 4
    for (int t = 0; t < T::kTile; ++t) {
      const int row = k - t * T::kStep;
      if (row < 0 || row > 2) continue;
      Vec& left = windows.kShiftLeftSums ? left_sums[t] : sums[t];
      left = hn::MulAdd(window.left, filter.taps[3 * row], left);
      sums[t] = hn::MulAdd(window.middle, filter.taps[3 * row + 1], sums[t]);
      sums[t] = hn::MulAdd(window.right, filter.taps[3 * row + 2], sums[t]);
    }
  }
#pragma GCC unroll 4
  for (int t = 0; t < T::kTile; ++t) {
    if (windows.kShiftLeftSums) sums[t] = hn::Add(sums[t], windows.shift_left_sums(left_sums[t]));
    hn::StoreU(activate<kActivation>(sums[t]), F32(),
               y.at(t * T::kRows * T::kOut + kPiece * kLanes));
  }
}

template <Activation kActivation, int kSize, int kStride, int... kPieces>
void convolve_tiles(const DepthwiseLayer& layer, std::integer_sequence<int, kPieces...>) {
  using T = Tiling<kSize, kStride>;
  const std::tuple<Windows<kSize, kStride, kPieces>...> windows;
  const Panels<const float> input(layer.input, layer.in());
  const Panels<float> output(layer.output, layer.out());
  const Filters filters(layer);
  int64_t c = layer.begin;
  const int64_t end = layer.end;
  if constexpr (kStride == 1 && T::kRows == kSize) {
    constexpr int kAtOnce = 4;  // one chain of sums after the other leaves units idle
    for (; c + kAtOnce <= end; c += kAtOnce) {
      Vec sums[kAtOnce];
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) {
        sums[i] = std::get<0>(windows).convolve_vector(input.channel(c + i).data,
                                                       filters.of_channel(c + i));
      }
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) {
        hn::StoreU(activate<kActivation>(sums[i]), F32(), output.channel(c + i).data);
      }
    }
  }
  for (; c < end; ++c) {
    const Filter filter = filters.of_channel(c);
    const Columns map = input.channel(c);
    const Columns to = output.channel(c);
    for (int tile = 0; tile < T::kTiles; ++tile) {
      const Columns x = map.from(tile * T::kTile * T::kStep * kSize);
      const Columns y = to.from(tile * T::kTile * T::kRows * T::kOut);
      (convolve_tile<kActivation>(std::get<kPieces>(windows), x, filter, tile, y), ...);
    }
  }
}

template <Activation kActivation, int kSize, int kStride>
bool convolve_map(const DepthwiseLayer& layer) {
  const Conv2dShape& s = layer.shape;
  if constexpr (Tiling<kSize, kStride>::kExists) {
    if (s.in_height != kSize || s.in_width != kSize || s.stride != kStride) return false;
    convolve_tiles<kActivation, kSize, kStride>(
        layer, std::make_integer_sequence<int, Tiling<kSize, kStride>::kPieces>());
    return true;
  }
  return false;
}

/// Whether there is a kernel for the layer; runs it.
template <Activation kActivation>
bool convolve_pixels(const DepthwiseLayer& layer) {
  return layer.shape.batch == 1 &&
         (convolve_map<kActivation, 32, 1>(layer) || convolve_map<kActivation, 32, 2>(layer) ||
          convolve_map<kActivation, 16, 1>(layer) || convolve_map<kActivation, 16, 2>(layer) ||
          convolve_map<kActivation, 8, 1>(layer) || convolve_map<kActivation, 8, 2>(layer) ||
          convolve_map<kActivation, 4, 1>(layer));
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
