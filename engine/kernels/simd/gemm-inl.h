// Matrix products out of packed blocks, single-threaded; included once per instruction set by
// Highway's foreach_target.h.
//
// C [M,N] = A [M,K] * B [K,N]. A register tile is kTileRows rows of C by up to kPanelVectors
// vectors: one step of K loads a few vectors of B and one value of A for each row (Goto & van de
// Geijn 2008).
//  - The factor whose values are broadcast is kept in Tiles: [ceil(C/8)][rows][8]. Its rows can be
//    C's rows (A as it is) or K (A transposed): the register tile finds its values at fixed
//    distances either way, so that one packed block serves both products of a backward pass.
//  - The factor that is read in vectors is kept in Panels: [panel][rows][up to 3 vectors], rows =
//  K.
#if defined(EDGEPRUNE_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_GEMM_INL_H_
#undef EDGEPRUNE_GEMM_INL_H_
#else
#define EDGEPRUNE_GEMM_INL_H_
#endif

#include <algorithm>
#include <vector>

#include "engine/kernels/simd/reader-inl.h"
#include "engine/kernels/simd/row_blocks.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::simd::HWY_NAMESPACE {

constexpr int64_t kTile = 8;
constexpr int64_t kLanes = hn::MaxLanes(F32());
// As many sums as fit the registers beside the factors: 32 with AVX-512, 16 before.
constexpr int kTileRows = HWY_CAP_GE512 ? 8 : 4;
constexpr int64_t kPanelVectors = 3;
constexpr int64_t kDepth =
    20;  // tiles: 160 rows of a panel, 30 KB, which the first-level cache holds

inline int64_t whole_tiles(int64_t count) {
  return (count + kTile - 1) / kTile;
}

/// A block [rows, columns] in tiles of eight columns, padded with zeros to whole tiles both ways.
struct Tiles {
  float* data;
  int64_t rows, columns;
  // One cache line more than a tile needs: a power of two would put all tiles' rows into one set of
  // the cache.
  static int64_t stride(int64_t rows) { return whole_tiles(rows) * kTile * kTile + 16; }
  static int64_t size(int64_t rows, int64_t columns) { return whole_tiles(columns) * stride(rows); }

  HWY_INLINE float* at(int64_t row, int64_t column) const {
    return data + column / kTile * stride(rows) + row * kTile + column % kTile;
  }

  void clear_padding_rows() const {
    for (int64_t row = rows; row % kTile != 0; ++row) {
      for (int64_t c = 0; c < columns; c += kTile) std::fill_n(at(row, c), kTile, 0.0f);
    }
  }
};

/// A block [rows, columns] in panels of one to three vectors, padded with zeros to whole vectors
/// and, in rows, to whole tiles.
struct Panels {
  float* data;
  int64_t rows, columns;

  static int64_t vectors(int64_t columns) { return (columns + kLanes - 1) / kLanes; }
  static int64_t size(int64_t rows, int64_t columns) {
    return whole_tiles(rows) * kTile * vectors(columns) * kLanes;
  }
  int64_t count() const { return (vectors(columns) + kPanelVectors - 1) / kPanelVectors; }
  int64_t first_vector(int64_t panel) const { return vectors(columns) * panel / count(); }
  int64_t panel_vectors(int64_t panel) const {
    return first_vector(panel + 1) - first_vector(panel);
  }
  float* panel(int64_t index) const {
    return data + first_vector(index) * kLanes * whole_tiles(rows) * kTile;
  }

  void clear_padding_rows() const {
    for (int64_t i = 0; i < count(); ++i) {
      const int64_t width = panel_vectors(i) * kLanes;
      float* start = panel(i) + rows * width;
      std::fill_n(start, (whole_tiles(rows) * kTile - rows) * width, 0.0f);
    }
  }
};

/// Stores the vectors of a block's rows, from row `begin` on, to its tiles: kLanes columns each,
/// beyond the last column zeros.
struct TileWriter {
  explicit TileWriter(const Tiles& tiles, int64_t begin = 0)
      : first(tiles.data - begin * kTile),
        stride(Tiles::stride(tiles.rows)),
        columns(tiles.columns) {}
  float* first;
  int64_t stride, columns;

  HWY_INLINE void operator()(int64_t row, int64_t column, Vec v) const {
    const auto tile = static_cast<uint64_t>(column) / kTile;
    float* to = first + static_cast<int64_t>(tile) * stride + row * kTile;
#if HWY_CAP_GE512  // two tiles to a vector
    const hn::Half<F32> half;
    hn::StoreU(hn::LowerHalf(half, v), half, to);
    if (column + kTile < columns) hn::StoreU(hn::UpperHalf(half, v), half, to + stride);
#else
    to += column % kTile;
    hn::StoreU(v, F32(), to);
    for (int64_t c = column + kLanes; c >= columns && c % kTile != 0; c += kLanes) {
      hn::StoreU(hn::Zero(F32()), F32(), to += kLanes);
    }
#endif
  }
};

/// Rows [begin, begin + tiles.rows) of what `reader` reads.
template <typename Reader>
HWY_INLINE void pack(const Reader& reader, int64_t begin, const Tiles& tiles) {
  read_rows(reader, begin, begin + tiles.rows,
            [write = TileWriter(tiles, begin)](auto, int64_t row, int64_t c, Vec v)
                HWY_ATTR { write(row, c, v); });
  tiles.clear_padding_rows();
}

/// What `reader` reads at rows [begin + first, begin + end), to rows [first, end) of the panels.
template <typename Reader>
HWY_INLINE void pack_rows(const Reader& reader, int64_t begin, const Panels& panels, int64_t first,
                          int64_t end) {
  struct Column {  // of vectors: where its first row goes, and how far the rows are apart
    float* start;
    int64_t stride;
  };
  std::vector<Column> columns;
  columns.reserve(static_cast<size_t>(Panels::vectors(panels.columns)));
  for (int64_t i = 0; i < panels.count(); ++i) {
    const int64_t vectors = panels.panel_vectors(i);
    for (int64_t v = 0; v < vectors; ++v) {
      columns.push_back({panels.panel(i) + v * kLanes, vectors * kLanes});
    }
  }
  read_rows(reader, begin + first, begin + end,
            [begin, to = columns.data()](auto, int64_t row, int64_t c, Vec v) HWY_ATTR {
              const Column& column = to[static_cast<uint64_t>(c) / kLanes];
              hn::StoreU(v, F32(), column.start + (row - begin) * column.stride);
            });
}

/// Rows [begin, begin + panels.rows) of what `reader` reads.
template <typename Reader>
HWY_INLINE void pack(const Reader& reader, int64_t begin, const Panels& panels) {
  pack_rows(reader, begin, panels, 0, panels.rows);
  panels.clear_padding_rows();
}

/// to[c * to_stride + r] = from[r * from_stride + c] for r and c in [0, 4).
HWY_INLINE void transpose_4x4(const float* from, int64_t from_stride, float* to,
                              int64_t to_stride) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t r = 0; r < 4; ++r) {
    for (int64_t c = 0; c < 4; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
#else
  const hn::FixedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_stride);
  const auto r2 = hn::LoadU(d, from + 2 * from_stride), r3 = hn::LoadU(d, from + 3 * from_stride);
  const auto even_low = hn::InterleaveLower(d, r0, r2), even_high = hn::InterleaveUpper(d, r0, r2);
  const auto odd_low = hn::InterleaveLower(d, r1, r3), odd_high = hn::InterleaveUpper(d, r1, r3);
  hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, to);
  hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, to + to_stride);
  hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, to + 2 * to_stride);
  hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, to + 3 * to_stride);
#endif
}

/// The transpose of `matrix` [panels.columns, panels.rows].
inline void pack_transposed(const float* matrix, const Panels& panels, int64_t first_panel,
                            int64_t end_panel) {
  const int64_t rows = panels.rows, whole_rows = rows / 4 * 4;
  for (int64_t i = first_panel; i < end_panel; ++i) {
    const int64_t width = panels.panel_vectors(i) * kLanes;
    const float* from = matrix + panels.first_vector(i) * kLanes * rows;
    const int64_t real = std::min(width, panels.columns - panels.first_vector(i) * kLanes);
    const int64_t whole = real / 4 * 4;
    float* to = panels.panel(i);
    for (int64_t n = 0; n < whole; n += 4) {
      for (int64_t k = 0; k < whole_rows; k += 4) {
        transpose_4x4(from + n * rows + k, rows, to + k * width + n, width);
      }
    }
    for (int64_t k = 0; k < rows; ++k) {
      const int64_t done = k < whole_rows ? whole : 0;
      for (int64_t n = done; n < real; ++n) to[k * width + n] = from[n * rows + k];
      std::fill(to + k * width + real, to + (k + 1) * width, 0.0f);
    }
    std::fill_n(to + rows * width, (whole_tiles(rows) * kTile - rows) * width, 0.0f);
  }
}

/// The sums of a register tile.
template <int kVectors>
HWY_INLINE void clear_tile(Vec (&sum)[kTileRows][kVectors]) {
#pragma GCC unroll 8
  for (auto& row : sum) {
#pragma GCC unroll 4
    for (auto& v : row) v = hn::Zero(F32());
  }
}

/// Stored to rows [0, rows) of c, or added to them; `last` if the last vector is partial.
template <int kVectors>
HWY_INLINE void store_tile(const Vec (&sum)[kTileRows][kVectors], int64_t rows, bool accumulate,
                           const Partial& last, bool last_is_partial, float* HWY_RESTRICT c,
                           int64_t c_stride) {
  const F32 d;
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    if (r >= rows) break;
    float* to = c + r * c_stride;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v, to += kLanes) {
      if (v == kVectors - 1 && last_is_partial) {
        last.store(accumulate ? hn::Add(sum[r][v], last.load(to)) : sum[r][v], to);
      } else {
        hn::StoreU(accumulate ? hn::Add(sum[r][v], hn::LoadU(d, to)) : sum[r][v], d, to);
      }
    }
  }
}

/// One register tile over `steps` times eight values of K. A's value for row r and step j stands at
/// a[r * kRowStride + j * kStepStride], eight steps on at a + a_next.
template <int kVectors, int kRowStride, int kStepStride>
HWY_INLINE void register_tile(const float* HWY_RESTRICT a, int64_t a_next,
                              const float* HWY_RESTRICT b, int64_t steps, float* HWY_RESTRICT c,
                              int64_t c_stride, int64_t rows, const Partial& last,
                              bool last_is_partial, bool accumulate) {
  const F32 d;
  Vec sum[kTileRows][kVectors];
  clear_tile(sum);
  for (int64_t s = 0; s < steps; ++s, a += a_next, b += kTile * kVectors * kLanes) {
#pragma GCC unroll 8
    for (int j = 0; j < kTile; ++j) {
      Vec right[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) right[v] = hn::LoadU(d, b + (j * kVectors + v) * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kTileRows; ++r) {
        const Vec left = hn::Set(d, a[r * kRowStride + j * kStepStride]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(left, right[v], sum[r][v]);
      }
    }
  }
  store_tile(sum, rows, accumulate, last, last_is_partial, c, c_stride);
}

/// A column of register tiles: rows [0, rows) of C by one panel. Calls ahead->some() at each.
template <int kVectors, int kRowStride, int kStepStride>
void panel_product(const float* a, int64_t a_tile_rows, int64_t a_next, const float* b,
                   int64_t steps, float* c, int64_t c_stride, int64_t rows, int64_t panel_columns,
                   bool accumulate, Ahead* ahead) {
  const int64_t over = panel_columns % kLanes;
  const Partial last(static_cast<size_t>(over));
  for (int64_t row = 0; row < rows; row += kTileRows) {
    // The next tile's rows, which nobody may have touched for long.
    for (int64_t r = row + kTileRows; !accumulate && r < std::min(rows, row + 2 * kTileRows); ++r) {
      for (int64_t i = 0; i < kVectors * kLanes; i += 16)
        __builtin_prefetch(c + r * c_stride + i, 1);
    }
    ahead->some();
    const float* tile = a + row / kTile * a_tile_rows + row % kTile * kRowStride;
    register_tile<kVectors, kRowStride, kStepStride>(tile, a_next, b, steps, c + row * c_stride,
                                                     c_stride, rows - row, last, over != 0,
                                                     accumulate);
  }
}

template <int kRowStride, int kStepStride, typename... Args>
HWY_INLINE void panel_product_of(int64_t vectors, Args... args) {
  if (vectors == 3) return panel_product<3, kRowStride, kStepStride>(args...);
  if (vectors == 2) return panel_product<2, kRowStride, kStepStride>(args...);
  panel_product<1, kRowStride, kStepStride>(args...);
}

/// Register tiles of a product of so many rows by b.
inline int64_t tiles_of(int64_t rows, const Panels& b) {
  return (rows + kTileRows - 1) / kTileRows * b.count();
}

/// How often multiply() calls ahead.some().
inline int64_t calls_of_multiply(const Tiles& a, const Panels& b) {
  return tiles_of(a.rows, b) * ((whole_tiles(a.columns) + kDepth - 1) / kDepth);
}

/// c [a.rows, b.columns] = a * b.
inline void multiply(const Tiles& a, const Panels& b, float* c, Ahead& ahead) {
  const int64_t steps = whole_tiles(a.columns), next = Tiles::stride(a.rows);
  for (int64_t step = 0; step < steps; step += kDepth) {
    const int64_t depth = std::min(kDepth, steps - step);
    for (int64_t i = 0; i < b.count(); ++i) {
      const int64_t vectors = b.panel_vectors(i), column = b.first_vector(i) * kLanes;
      panel_product_of<kTile, 1>(vectors, a.data + step * next, kTile * kTile, next,
                                 b.panel(i) + step * kTile * vectors * kLanes, depth, c + column,
                                 b.columns, a.rows, std::min(vectors * kLanes, b.columns - column),
                                 step > 0, &ahead);
    }
  }
}

/// c [a.columns, b.columns] = transposed a * b, or added to it.
inline void multiply_transposed(const Tiles& a, const Panels& b, float* c, bool accumulate,
                                Ahead& ahead) {
  for (int64_t i = 0; i < b.count(); ++i) {
    const int64_t vectors = b.panel_vectors(i), column = b.first_vector(i) * kLanes;
    panel_product_of<1, kTile>(vectors, a.data, Tiles::stride(a.rows), kTile * kTile, b.panel(i),
                               whole_tiles(a.rows), c + column, b.columns, a.columns,
                               std::min(vectors * kLanes, b.columns - column), accumulate, &ahead);
  }
}

}  // namespace edgeprune::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
