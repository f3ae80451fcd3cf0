// The register tiles of pointwise.cpp.

#if defined(EDGEPRUNE_INT8_POINTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_POINTWISE_INL_H_
#undef EDGEPRUNE_INT8_POINTWISE_INL_H_
#else
#define EDGEPRUNE_INT8_POINTWISE_INL_H_
#endif

#include <cstring>
#include <utility>

#include "engine/kernels/int8/pointwise_neon-inl.h"
#include "engine/kernels/int8/pointwise_packing.h"
#include "engine/kernels/int8/pointwise_words-inl.h"
#include "engine/kernels/int8/requantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

/// A block of rows and where its numbers begin.
struct BlockNumbers {
  HWY_INLINE BlockNumbers(const PackedPointwise& w, int64_t i)
      : block(w.blocks[static_cast<size_t>(i)]),
        values(w.values() + block.begin),
        fours(w.fours.empty() ? nullptr : w.fours.data() + i * w.quads()),
        bias(w.constants.bias() + block.first),
        multipliers(w.constants.multipliers.get() + block.first) {}
  RowBlock block;
  const int8_t* values;
  const int32_t* fours;  ///< if sums are words
  const int32_t* bias;
  const float* multipliers;
};

#if EDGEPRUNE_INT8_VECTORS || EDGEPRUNE_INT8_NEON

/// So many pixels' sums, times vectors, fit the registers beside what makes them, and are enough to
/// hide the latency of the products.
template <Product kProduct, int kVectors>
constexpr int most_pixels() {
  if (EDGEPRUNE_INT8_NEON) return kProduct == Product::instruction ? 4 : 2;
  if (HWY_MAX_BYTES < 64) return 8 / kVectors;
  if (kProduct != Product::instruction) return 4;
  return kVectors == 4 ? 6 : 12;
}

template <int kVectors>
HWY_NOINLINE void write_logits(const PointwiseCall& call, const BlockNumbers& numbers,
                               int64_t pixel, const Floats (&y)[kVectors]) {
  const int64_t rows = call.weights.rows;
  float values[kLanes];
  for (int v = 0; v < kVectors; ++v) {
    store_floats(y[v], values);
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t row = numbers.block.first + block_channel(kVectors, v, lane);
      if (row < rows) call.logits[pixel * rows + row] = values[lane];
    }
  }
}

/// Pixels' sums, from `pixel` on, to bytes or logits.
template <int kPixels, int kVectors>
HWY_INLINE void finish(const PointwiseCall& call, const BlockNumbers& numbers,
                       const Requantizer& to_bytes, int64_t pixel,
                       const Ints (&sums)[kVectors][kPixels]) {
  const int64_t bytes = pixel_bytes(call.weights.rows);
  int64_t offset = pixel * bytes + numbers.block.first;
  const uint8_t* const residual = call.residual.data;
  uint8_t* const to = call.to;
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p, offset += bytes) {
    Floats y[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      y[v] = multiply(to_floats(sums[v][p]), load_floats(numbers.multipliers + v * kLanes));
    }
    if (HWY_UNLIKELY(to == nullptr)) {
      Floats copy[kVectors];  // y stays in registers
      for (int v = 0; v < kVectors; ++v) copy[v] = y[v];
      write_logits<kVectors>(call, numbers, pixel + p, copy);
      continue;
    }
    if (residual != nullptr) {
      Ints x[kVectors];
      load_bytes<kVectors>(residual + offset, x);
      const Ints zero_point = broadcast(call.residual.zero_point);
      const Floats multiplier = broadcast_float(call.residual.multiplier);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const Floats added = multiply(to_floats(subtract(x[v], zero_point)), multiplier);
        y[v] = add_floats(y[v], added);
      }
    }
    store_bytes<kVectors>(to_bytes, y, to + offset);
  }
}

#if EDGEPRUNE_INT8_VECTORS

/// sums += the products of fours one behind another: dot products.
/// kOnePiece: the input's channels lie in one piece. A loop of its own, because one around that of the fours
/// costs the 1x1 convolutions a tenth.
template <bool kOnePiece, int kPixels, int kVectors>
HWY_INLINE void add_fours(const PointwiseCall& call, const int8_t* w, const uint8_t* in,
                          Ints (&sums)[kVectors][kPixels]) {
  using D = Dot<Product::instruction>;
  const int64_t stride = call.input.pixel;
  [[maybe_unused]] const int64_t piece = call.weights.quads() / call.input.pieces;
  [[maybe_unused]] const int64_t jump = call.input.piece_bytes - 4 * piece;
  [[maybe_unused]] int64_t left = piece;
  for (int64_t q = call.weights.quads(); q > 0; --q, in += 4, w += 4 * kVectors * kLanes) {
    if constexpr (!kOnePiece) {
      if (left == 0) in += jump, left = piece;
      --left;
    }
    Ints weights[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) weights[v] = load(w + 4 * v * kLanes);
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) {
      int32_t four;
      std::memcpy(&four, in + p * stride, sizeof four);
      const Ints x = broadcast(four);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[v][p] = D::add(sums[v][p], x, weights[v]);
    }
  }
}

#endif

template <Product kProduct, int kVectors, bool kOnePiece, int kPixels>
HWY_INLINE void tile(const PointwiseCall& call, const BlockNumbers& numbers,
                     const Requantizer& to_bytes, int64_t pixel) {
  Ints sums[kVectors][kPixels];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const Ints bias = load(numbers.bias + v * kLanes);
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) sums[v][p] = bias;
  }
  const uint8_t* in = call.input.data + pixel * call.input.pixel;
#if EDGEPRUNE_INT8_NEON
  add_neon<kProduct == Product::instruction, kOnePiece>(call, numbers.values, in, sums);
#else
  if constexpr (kProduct == Product::instruction) {
    add_fours<kOnePiece>(call, numbers.values, in, sums);
  } else {
    add_words<kProduct == Product::signs, kOnePiece>(call, numbers.block.groups, numbers.fours,
                                                     numbers.values, in, sums);
  }
#endif
  finish(call, numbers, to_bytes, pixel, sums);
}

/// Tiles of kPixels, of half as many what is left, and so on.
template <Product kProduct, int kVectors, bool kOnePiece, int kPixels>
HWY_INLINE void halves(const PointwiseCall& call, const BlockNumbers& numbers,
                       const Requantizer& to_bytes, int64_t begin, int64_t end) {
  for (; begin + kPixels <= end; begin += kPixels) {
    tile<kProduct, kVectors, kOnePiece, kPixels>(call, numbers, to_bytes, begin);
  }
  if constexpr (kPixels > 1) {
    halves<kProduct, kVectors, kOnePiece, kPixels / 2>(call, numbers, to_bytes, begin, end);
  }
}

#if HWY_MAX_BYTES >= 64
/// A function of its own: twelve sizes in one take a compiler minutes.
template <int kVectors, bool kOnePiece, int kPixels>
HWY_NOINLINE void one_tile(const PointwiseCall& call, const BlockNumbers& numbers,
                           const Requantizer& to_bytes, int64_t pixel) {
  tile<Product::instruction, kVectors, kOnePiece, kPixels>(call, numbers, to_bytes, pixel);
}

/// As few tiles as there can be, of nearly the same size: small ones are bound by latency.
template <int kVectors, bool kOnePiece, int... kLess>
HWY_INLINE void even_tiles(std::integer_sequence<int, kLess...>, const PointwiseCall& call,
                           const BlockNumbers& numbers, const Requantizer& to_bytes, int64_t begin,
                           int64_t end) {
  using Tile = void (*)(const PointwiseCall&, const BlockNumbers&, const Requantizer&, int64_t);
  static constexpr Tile kTiles[] = {&one_tile<kVectors, kOnePiece, kLess + 1>...};
  constexpr int64_t kMost = sizeof...(kLess);
  for (int64_t tiles = (end - begin + kMost - 1) / kMost; tiles > 0; --tiles) {
    const int64_t count = (end - begin + tiles - 1) / tiles;
    kTiles[count - 1](call, numbers, to_bytes, begin);
    begin += count;
  }
}
#endif

template <Product kProduct, int kVectors, bool kOnePiece>
HWY_INLINE void pixels(const PointwiseCall& call, const BlockNumbers& numbers,
                       const Requantizer& to_bytes, int64_t begin, int64_t end) {
  constexpr int kMost = most_pixels<kProduct, kVectors>();
#if HWY_MAX_BYTES >= 64
  if constexpr (kProduct == Product::instruction) {
    return even_tiles<kVectors, kOnePiece>(std::make_integer_sequence<int, kMost>(), call, numbers,
                                           to_bytes, begin, end);
  }
#endif
  halves<kProduct, kVectors, kOnePiece, kMost>(call, numbers, to_bytes, begin, end);
}

template <Product kProduct, bool kOnePiece>
void items_of(const PointwiseCall& call, int64_t begin, int64_t end) {
  const auto blocks = static_cast<int64_t>(call.weights.blocks.size());
  const Requantizer to_bytes(call.output);
  const int64_t piece = call.piece();
  for (int64_t item = begin; item < end; ++item) {
    const BlockNumbers numbers(call.weights, item % blocks);
    const int64_t first = item / blocks * piece;
    const int64_t last = std::min(first + piece, call.input.count);
    if (numbers.block.vectors == 4)
      pixels<kProduct, 4, kOnePiece>(call, numbers, to_bytes, first, last);
#if HWY_MAX_BYTES >= 32
    if (numbers.block.vectors == 2)
      pixels<kProduct, 2, kOnePiece>(call, numbers, to_bytes, first, last);
#endif
#if HWY_MAX_BYTES >= 64
    if (numbers.block.vectors == 1)
      pixels<kProduct, 1, kOnePiece>(call, numbers, to_bytes, first, last);
#endif
  }
}

template <Product kProduct>
void pointwise_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  if (call.input.pieces == 1) return items_of<kProduct, true>(call, begin, end);
  items_of<kProduct, false>(call, begin, end);
}

PointwiseKernel pointwise_kernel(Product product) {
  if (product == Product::instruction) return &pointwise_items<Product::instruction>;
#if EDGEPRUNE_INT8_VECTORS
  if (product == Product::signs) return &pointwise_items<Product::signs>;
#endif
  return &pointwise_items<Product::pairs>;
}
RowLanes row_lanes() {
  return {.lanes = kLanes,
          .most_vectors = 4,
          .pixels = HWY_MAX_BYTES >= 64 ? 12 : 4,
          .way = EDGEPRUNE_INT8_NEON ? Way::neon : Way::x86};
}

#else

/// Sixteen rows side by side, which is what compilers make vectors of.
void pointwise_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  constexpr int kRows = 16;
  const PackedPointwise& w = call.weights;
  const auto blocks = static_cast<int64_t>(w.blocks.size());
  const int64_t bytes = pixel_bytes(w.rows);
  for (int64_t item = begin; item < end; ++item) {
    const BlockNumbers numbers(w, item % blocks);
    const int64_t first = item / blocks * call.piece();
    const int64_t last = std::min(first + call.piece(), call.input.count);
    for (int64_t pixel = first; pixel < last; ++pixel) {
      int32_t sums[kRows];
      std::memcpy(sums, numbers.bias, sizeof sums);
      const uint8_t* in = call.input.data + pixel * call.input.pixel;
      const int64_t quads = w.quads() / call.input.pieces;
      for (int64_t q = 0; q < w.quads(); ++q) {
        const int8_t* row = numbers.values + q * 4 * kRows;
        const uint8_t* four = in + q / quads * call.input.piece_bytes + q % quads * 4;
        for (int r = 0; r < kRows; ++r) {
          for (int i = 0; i < 4; ++i) sums[r] += four[i] * row[4 * r + i];
        }
      }
      for (int r = 0; r < kRows; ++r) {
        const int64_t row = numbers.block.first + r;
        float value = static_cast<float>(sums[r]) * numbers.multipliers[r];
        if (call.to == nullptr) {
          if (row < w.rows) call.logits[pixel * w.rows + row] = value;
          continue;
        }
        if (call.residual.data != nullptr) {
          const int other = call.residual.data[pixel * bytes + row] - call.residual.zero_point;
          const float added = static_cast<float>(other) * call.residual.multiplier;
          value += added;
        }
        call.to[pixel * bytes + row] = round_to_byte(value, call.output);
      }
    }
  }
}

PointwiseKernel pointwise_kernel(Product) {
  return &pointwise_items;
}
RowLanes row_lanes() {
  return {.lanes = 16, .most_vectors = 1, .pixels = 12, .way = Way::plain};
}

#endif  // EDGEPRUNE_INT8_VECTORS || EDGEPRUNE_INT8_NEON

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_POINTWISE_INL_H_
