// Transforms of winograd.cpp; included once per instruction set by Highway's foreach_target.h.
//
// With the names of Lavin & Gray (2016), a tile of the output is A'[(G g G') * (B' d B)]A, where g is
// the filter, d the tile's patch of the input and * multiplies element by element.
#if defined(EDGEPRUNE_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_WINOGRAD_INL_H_
#undef EDGEPRUNE_WINOGRAD_INL_H_
#else
#define EDGEPRUNE_WINOGRAD_INL_H_
#endif

#include "engine/kernels/simd/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

/// F(2,3) and F(4,3): `filter` is G, to_input() multiplies by B', to_output() by A'.
template <int kTile>
struct Filtering;

template <>
struct Filtering<2> {
  static constexpr int kSide = 4;
  static constexpr double filter[kSide][3] = {
      {1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

  static HWY_INLINE void to_input(Vec (&v)[kSide]) {
    const Vec first = hn::Sub(v[0], v[2]), last = hn::Sub(v[1], v[3]);
    const Vec sum = hn::Add(v[1], v[2]), difference = hn::Sub(v[2], v[1]);
    v[0] = first, v[1] = sum, v[2] = difference, v[3] = last;
  }
  static HWY_INLINE void to_output(const Vec (&m)[kSide], Vec (&y)[2]) {
    y[0] = hn::Add(hn::Add(m[0], m[1]), m[2]);
    y[1] = hn::Sub(hn::Sub(m[1], m[2]), m[3]);
  }
};

template <>
struct Filtering<4> {
  static constexpr int kSide = 6;
  static constexpr double filter[kSide][3] = {{1 / 4., 0, 0},
                                              {-1 / 6., -1 / 6., -1 / 6.},
                                              {-1 / 6., 1 / 6., -1 / 6.},
                                              {1 / 24., 1 / 12., 1 / 6.},
                                              {1 / 24., -1 / 12., 1 / 6.},
                                              {0, 0, 1}};

  static HWY_INLINE void to_input(Vec (&v)[kSide]) {
    const F32 d;
    const Vec two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f), five = hn::Set(d, 5.0f);
    const Vec even4 = hn::NegMulAdd(four, v[2], v[4]), odd4 = hn::NegMulAdd(four, v[1], v[3]);
    const Vec even1 = hn::Sub(v[4], v[2]), odd1 = hn::Mul(two, hn::Sub(v[3], v[1]));
    v[0] = hn::MulAdd(four, v[0], hn::NegMulAdd(five, v[2], v[4]));
    v[5] = hn::MulAdd(four, v[1], hn::NegMulAdd(five, v[3], v[5]));
    v[1] = hn::Add(even4, odd4), v[2] = hn::Sub(even4, odd4);
    v[3] = hn::Add(even1, odd1), v[4] = hn::Sub(even1, odd1);
  }
  static HWY_INLINE void to_output(const Vec (&m)[kSide], Vec (&y)[4]) {
    const F32 d;
    const Vec sum1 = hn::Add(m[1], m[2]), difference1 = hn::Sub(m[1], m[2]);
    const Vec sum2 = hn::Add(m[3], m[4]), difference2 = hn::Sub(m[3], m[4]);
    y[0] = hn::Add(m[0], hn::Add(sum1, sum2));
    y[1] = hn::MulAdd(hn::Set(d, 2.0f), difference2, difference1);
    y[2] = hn::MulAdd(hn::Set(d, 4.0f), sum2, sum1);
    y[3] = hn::MulAdd(hn::Set(d, 8.0f), difference2, hn::Add(difference1, m[5]));
  }
};

/// store(position, vector) for the kSide x kSide values of B' d B; load(y, x) gives d's.
template <int kTile, typename Load, typename Store>
HWY_INLINE void transform_input(const Load& load, const Store& store) {
  constexpr int kSide = Filtering<kTile>::kSide;
  Vec columns[kSide][kSide];
#pragma GCC unroll 6
  for (int x = 0; x < kSide; ++x) {
#pragma GCC unroll 6
    for (int y = 0; y < kSide; ++y) columns[x][y] = load(y, x);
    Filtering<kTile>::to_input(columns[x]);
  }
#pragma GCC unroll 6
  for (int y = 0; y < kSide; ++y) {
    Vec row[kSide];
#pragma GCC unroll 6
    for (int x = 0; x < kSide; ++x) row[x] = columns[x][y];
    Filtering<kTile>::to_input(row);
#pragma GCC unroll 6
    for (int x = 0; x < kSide; ++x) store(y * kSide + x, row[x]);
  }
}

/// store(y, x, vector) for the tile's pixels; load(position) gives the products' sums.
template <int kTile, typename Load, typename Store>
HWY_INLINE void transform_output(const Load& load, const Store& store) {
  constexpr int kSide = Filtering<kTile>::kSide;
  Vec rows[kSide][kTile];
#pragma GCC unroll 6
  for (int y = 0; y < kSide; ++y) {
    Vec row[kSide];
#pragma GCC unroll 6
    for (int x = 0; x < kSide; ++x) row[x] = load(y * kSide + x);
    Filtering<kTile>::to_output(row, rows[y]);
  }
#pragma GCC unroll 4
  for (int x = 0; x < kTile; ++x) {
    Vec column[kSide], pixels[kTile];
#pragma GCC unroll 6
    for (int y = 0; y < kSide; ++y) column[y] = rows[y][x];
    Filtering<kTile>::to_output(column, pixels);
#pragma GCC unroll 4
    for (int y = 0; y < kTile; ++y) store(y, x, pixels[y]);
  }
}

/// As register_tile() of gemm-inl.h, over all of K, and fetches `lines` cache lines from `ahead` on
/// for every eight values of K.
template <int kVectors>
HWY_INLINE void fetching_tile(const float* HWY_RESTRICT a, int64_t a_next,
                              const float* HWY_RESTRICT b, int64_t steps, const float* ahead,
                              int64_t lines, Vec (&sum)[kTileRows][kVectors]) {
  constexpr int64_t kLine = 16;
  const F32 d;
  clear_tile(sum);
  for (int64_t s = 0; s < steps; ++s, a += a_next) {
    for (int64_t i = 0; i < lines; ++i, ahead += kLine) __builtin_prefetch(ahead);
#pragma GCC unroll 8
    for (int j = 0; j < kTile; ++j, b += kVectors * kLanes) {
      Vec right[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
        const Vec left = hn::Set(d, a[r * kTile + j]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
      }
    }
  }
}

/// Columns of one panel of c = a * b, as multiply() of gemm-inl.h. Of few rows weights are all there
/// is to read: while a panel is worked on, the next one is fetched, which hardware does not do in
/// time. The first-level cache holds a register tile's rows of `a`, the second a panel.
template <int kVectors>
void multiply_panel(const Tiles& a, const Panels& b, int64_t panel, float* c) {
  const int64_t column = b.first_vector(panel) * kLanes, steps = whole_tiles(a.columns);
  const int64_t columns = std::min(kVectors * kLanes, b.columns - column), over = columns % kLanes;
  const Partial last(static_cast<size_t>(over));
  const float* weights = b.panel(panel);
  const float* ahead = weights + steps * kTile * kVectors * kLanes;
  const int64_t tiles = (a.rows + kTileRows - 1) / kTileRows;
  const int64_t step_lines = kTile * kVectors * kLanes / 16,
                lines = (step_lines + tiles - 1) / tiles;
  for (int64_t row = 0; row < a.rows; row += kTileRows, ahead += steps * lines * 16) {
    Vec sum[kTileRows][kVectors];
    fetching_tile(a.data + row / kTile * (kTile * kTile) + row % kTile * kTile,
                  Tiles::stride(a.rows), weights, steps, ahead, lines, sum);
    store_tile(sum, a.rows - row, false, last, over != 0, c + row * b.columns + column, b.columns);
  }
}

inline void multiply_fetching(const Tiles& a, const Panels& b, float* c) {
  for (int64_t i = 0; i < b.count(); ++i) {
    const int64_t vectors = b.panel_vectors(i);
    if (vectors == 3) multiply_panel<3>(a, b, i, c);
    if (vectors == 2) multiply_panel<2>(a, b, i, c);
    if (vectors == 1) multiply_panel<1>(a, b, i, c);
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
