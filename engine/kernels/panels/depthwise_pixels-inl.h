// Depthwise kernels for one image: columns are its pixels, a vector is a piece of a row of outputs
// or several whole rows. Included once per instruction set by Highway's foreach_target.h, hence no
// #pragma once.
#if defined(EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#undef EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_PIXELS_INL_H_
#endif

#include <type_traits>

#include "engine/kernels/panels/depthwise-inl.h"
#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

/// What one row of taps reads for a vector of outputs. `at(row)` of the classes below makes it for
/// the outputs whose row of taps starts on that row of the input; kStep rows further on lies that
/// of the next vector down.
struct Window {
  Vec left, middle, right;
};

/// Stride 1, a vector is a piece of a row.
template <bool kFirst, bool kLast>
struct PieceOfRow {
  static constexpr int kStep = 1;
  Columns<const float> map;
  int64_t height, width, piece;
  Slide from_left, from_right;

  HWY_INLINE bool outside(int64_t row) const { return row < 0 || row >= height; }
  HWY_INLINE Window at(int64_t row) const {
    const float* x = map.at(row * width + piece * kLanes);
    const Vec middle = hn::LoadU(F32(), x);
    return {kFirst ? from_left(middle) : hn::LoadU(F32(), x - 1), middle,
            kLast ? from_right(middle) : hn::LoadU(F32(), x + 1)};
  }
};

/// Stride 1, kRows rows of kLanes / kRows pixels in a vector; the map is in one panel.
template <int kRows>
struct WholeRows {
  static constexpr int kWidth = kLanes / kRows, kStep = kRows;
  Columns<const float> map;
  int64_t height;
  Slide from_left, from_right, from_above, from_below;

  HWY_INLINE bool outside(int64_t) const { return false; }
  HWY_INLINE Window at(int64_t row) const {
    const Vec middle = rows(row);
    return {from_left(middle), middle, from_right(middle)};
  }
  HWY_INLINE Vec rows(int64_t row) const {
    const F32 d;
    if (row < 0) return from_above(hn::LoadU(d, map.data));
    if (row > height - kRows) {
      return from_below(hn::LoadU(d, map.data + (height - kRows) * kWidth));
    }
    return hn::LoadU(d, map.data + row * kWidth);
  }
};

/// Stride 2, a vector is a piece of a row.
template <bool kFirst>
struct PieceOfRowStride2 {
  static constexpr int kStep = 2;
  Columns<const float> map;
  int64_t height, width, piece;
  Slide from_left;

  HWY_INLINE bool outside(int64_t row) const { return row < 0 || row >= height; }
  HWY_INLINE Window at(int64_t row) const {
    const F32 d;
    const float* x = map.at(row * width + 2 * piece * kLanes);
    const Vec low = hn::LoadU(d, x), high = hn::LoadU(d, x + kLanes);
    const Vec odd = hn::ConcatOdd(d, high, low);
    if constexpr (kFirst) return {from_left(odd), hn::ConcatEven(d, high, low), odd};
    const Vec left = hn::ConcatEven(d, hn::LoadU(d, x + kLanes - 1), hn::LoadU(d, x - 1));
    return {left, hn::ConcatEven(d, high, low), odd};
  }
};

/// Stride 2, two rows of outputs in a vector, a row of inputs is a vector.
struct TwoRowsStride2 {
  static constexpr int kStep = 4;
  Columns<const float> map;
  Slide from_left;

  HWY_INLINE bool outside(int64_t) const { return false; }
  HWY_INLINE Window at(int64_t row) const {
    const F32 d;
    const Vec low = row < 0 ? hn::Zero(d) : hn::LoadU(d, map.at(row * kLanes));
    const Vec high = hn::LoadU(d, map.at((row + 2) * kLanes));
    const Vec odd = hn::ConcatOdd(d, high, low);
    return {from_left(odd), hn::ConcatEven(d, high, low), odd};
  }
};

/// Stride 2, the whole map of 4x4 outputs in a vector, 8x8 inputs in a panel.
struct WholeMapStride2 {
  static constexpr int kStep = 4;
  Columns<const float> map;
  Slide from_left, from_above;

  HWY_INLINE bool outside(int64_t) const { return false; }
  HWY_INLINE Window at(int64_t row) const {
    const F32 d;
    const float* x = map.data;
    const Vec rows01 = hn::LoadU(d, x), rows23 = hn::LoadU(d, x + kLanes);
    const Vec rows45 = hn::LoadU(d, x + 2 * kLanes), rows67 = hn::LoadU(d, x + 3 * kLanes);
    const bool even_rows = row == 0;
    const Vec low = even_rows ? hn::ConcatLowerLower(d, rows23, rows01)
                              : hn::ConcatUpperUpper(d, rows23, rows01);
    const Vec high = even_rows ? hn::ConcatLowerLower(d, rows67, rows45)
                               : hn::ConcatUpperUpper(d, rows67, rows45);
    Vec even = hn::ConcatEven(d, high, low), odd = hn::ConcatOdd(d, high, low);
    if (row < 0) even = from_above(even), odd = from_above(odd);
    return {from_left(odd), even, odd};
  }
};

/// kTile vectors of outputs, one below the other, the first one's taps starting at row `first`.
template <Activation kActivation, int kTile, typename Map>
HWY_INLINE void convolve_tile(const Map& map, int64_t first, const Filter& filter,
                              const Columns<float>& output, int64_t column, int64_t next_column) {
  constexpr int kWindows = Map::kStep * (kTile - 1) + 3;
  Vec sums[kTile];
#pragma GCC unroll 8
  for (int t = 0; t < kTile; ++t) sums[t] = filter.bias;
#pragma GCC unroll 16
  for (int k = 0; k < kWindows; ++k) {
    if ((k == 0 || k == kWindows - 1) && map.outside(first + k)) continue;
    const Window x = map.at(first + k);
#pragma GCC unroll 8
    for (int t = 0; t < kTile; ++t) {
      const int row = k - t * Map::kStep;
      if (row < 0 || row > 2) continue;
      sums[t] = hn::MulAdd(x.left, filter.taps[3 * row], sums[t]);
      sums[t] = hn::MulAdd(x.middle, filter.taps[3 * row + 1], sums[t]);
      sums[t] = hn::MulAdd(x.right, filter.taps[3 * row + 2], sums[t]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kTile; ++t) {
    hn::StoreU(activate<kActivation>(sums[t]), F32(), output.at(column + t * next_column));
  }
}

/// `count` vectors of outputs, one below the other.
template <Activation kActivation, typename Map>
HWY_INLINE void convolve_down(const Map& map, const Filter& filter, const Columns<float>& output,
                              int64_t count, int64_t column, int64_t next_column) {
  int64_t t = 0;
  for (; t + 4 <= count; t += 4) {
    convolve_tile<kActivation, 4>(map, t * Map::kStep - 1, filter, output, column + t * next_column,
                                  next_column);
  }
  for (; t < count; ++t) {
    convolve_tile<kActivation, 1>(map, t * Map::kStep - 1, filter, output, column + t * next_column,
                                  next_column);
  }
}

/// Every channel's vectors of outputs from `column` on, one below the other; make_map(columns of
/// the channel's input) is one of the classes above.
template <Activation kActivation, typename MakeMap>
HWY_INLINE void convolve_channels(const DepthwiseLayer& layer, int64_t column, int64_t next_column,
                                  const MakeMap& make_map) {
  const PanelLayout in = layer.in(), out = layer.out();
  const int64_t count = layer.shape.out_height() * layer.shape.out_width() / next_column;
  for (int64_t c = layer.begin; c < layer.end; ++c) {
    convolve_down<kActivation>(make_map(Columns(layer.input, in, c)), Filter::of_channel(layer, c),
                               Columns(layer.output, out, c), count, column, next_column);
  }
}

/// Whether rows of inputs and of outputs are whole vectors, and straddle no panels.
inline bool rows_are_vectors(const Conv2dShape& s) {
  return s.batch == 1 && s.out_width() % kLanes == 0 && s.in_width == s.out_width() * s.stride &&
         PanelLayout::kWidth % s.in_width == 0;
}

template <Activation kActivation>
void convolve_pieces_of_rows(const DepthwiseLayer& layer) {
  const Conv2dShape& s = layer.shape;
  const int64_t width = s.in_width, height = s.in_height, next = s.out_width();
  const Slide left(-1, kLanes), right(1, kLanes);
  const int64_t last = s.out_width() / kLanes - 1;
  for (int64_t i = 0; i <= last; ++i) {
    const auto convolve = [&](auto first_piece, auto last_piece) HWY_ATTR {
      constexpr bool kFirst = decltype(first_piece)::value, kLast = decltype(last_piece)::value;
      convolve_channels<kActivation>(layer, i * kLanes, next, [&](const auto& map) HWY_ATTR {
        return PieceOfRow<kFirst, kLast>{map, height, width, i, left, right};
      });
    };
    const auto convolve_stride2 = [&](auto first_piece) HWY_ATTR {
      constexpr bool kFirst = decltype(first_piece)::value;
      convolve_channels<kActivation>(layer, i * kLanes, next, [&](const auto& map) HWY_ATTR {
        return PieceOfRowStride2<kFirst>{map, height, width, i, left};
      });
    };
    if (s.stride == 2) {
      i == 0 ? convolve_stride2(std::true_type()) : convolve_stride2(std::false_type());
    } else if (i == 0) {
      last == 0 ? convolve(std::true_type(), std::true_type())
                : convolve(std::true_type(), std::false_type());
    } else {
      i == last ? convolve(std::false_type(), std::true_type())
                : convolve(std::false_type(), std::false_type());
    }
  }
}

/// Whether vectors hold kRows whole rows of outputs, and the map is in one panel.
template <int kRows>
bool vectors_are_rows(const Conv2dShape& s) {
  return s.batch == 1 && s.stride == 1 && s.in_width * kRows == kLanes &&
         s.in_height % kRows == 0 && s.in_height * s.in_width <= PanelLayout::kWidth;
}

template <Activation kActivation, int kRows>
void convolve_whole_rows(const DepthwiseLayer& layer) {
  constexpr int kWidth = kLanes / kRows;
  const int64_t height = layer.shape.in_height;
  const Slide left(-1, kWidth), right(1, kWidth), above(-kWidth, kLanes), below(kWidth, kLanes);
  convolve_channels<kActivation>(layer, 0, kLanes, [&](const auto& map) HWY_ATTR {
    return WholeRows<kRows>{map, height, left, right, above, below};
  });
}

inline bool stride2_vectors_are_two_rows(const Conv2dShape& s) {
  return s.batch == 1 && s.stride == 2 && s.in_width == kLanes && s.in_height % 4 == 0;
}

template <Activation kActivation>
void convolve_two_rows_stride2(const DepthwiseLayer& layer) {
  const Slide left(-1, kLanes / 2);
  convolve_channels<kActivation>(layer, 0, kLanes, [&](const auto& map) HWY_ATTR {
    return TwoRowsStride2{map, left};
  });
}

inline bool stride2_vectors_are_maps(const Conv2dShape& s) {
  return kLanes == 16 && s.batch == 1 && s.stride == 2 && s.in_width == 8 && s.in_height == 8;
}

template <Activation kActivation>
void convolve_whole_map_stride2(const DepthwiseLayer& layer) {
  const Slide left(-1, 4), above(-4, kLanes);
  convolve_channels<kActivation>(layer, 0, kLanes, [&](const auto& map) HWY_ATTR {
    return WholeMapStride2{map, left, above};
  });
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
