// The tiles of sparse_pointwise.cpp.

#if defined(EDGEPRUNE_INT8_SPARSE_POINTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_SPARSE_POINTWISE_INL_H_
#undef EDGEPRUNE_INT8_SPARSE_POINTWISE_INL_H_
#else
#define EDGEPRUNE_INT8_SPARSE_POINTWISE_INL_H_
#endif

#include <algorithm>
#include <cstring>

#include "engine/kernels/int8/requantize-inl.h"
#include "engine/kernels/int8/sparse_pointwise_packing.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

/// Pixels: a vector of bytes, sums of which are four vectors.
inline constexpr int kTile = 4 * kLanes;

/// Where a tile's pixels lie. Behind the last pixel there it is again, so that all tiles are whole:
/// what is made of it is the same, and is written several times.
struct TilePixels {
  HWY_INLINE TilePixels(int64_t count, int64_t apart) {
    for (int64_t p = 0; p < kTile; ++p) at[p] = std::min(p, count - 1) * apart;
  }
  int64_t at[kTile];
};

/// Sixteen bytes of every sixteenth pixel, from pixel i on.
HWY_INLINE Ints gather_pieces(const uint8_t* from, const TilePixels& pixels, int i) {
  const auto piece = [&](int p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + pixels.at[kChunk * p + i]));
  };
#if HWY_MAX_BYTES >= 64
  Ints all = _mm512_castsi128_si512(piece(0));
  all = _mm512_inserti32x4(all, piece(1), 1);
  all = _mm512_inserti32x4(all, piece(2), 2);
  return _mm512_inserti32x4(all, piece(3), 3);
#else
  return _mm256_inserti128_si256(_mm256_castsi128_si256(piece(0)), piece(1), 1);
#endif
}

HWY_INLINE void scatter_pieces(Ints all, uint8_t* to, const TilePixels& pixels, int i) {
  const auto store = [&](__m128i piece, int p) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + pixels.at[kChunk * p + i]), piece);
  };
#if HWY_MAX_BYTES >= 64
  store(_mm512_castsi512_si128(all), 0);
  store(_mm512_extracti32x4_epi32(all, 1), 1);
  store(_mm512_extracti32x4_epi32(all, 2), 2);
  store(_mm512_extracti32x4_epi32(all, 3), 3);
#else
  store(_mm256_castsi256_si128(all), 0);
  store(_mm256_extracti128_si256(all, 1), 1);
#endif
}

/// Of 16 x 16 bytes, in each piece: byte j of vector i becomes byte i of vector j. Each round puts the
/// highest bit of a byte's place last and moves the others up by one, places counted through all
/// vectors; four of the eight bits swap vector and byte.
HWY_INLINE void turn_over(Ints (&x)[kChunk]) {
#pragma GCC unroll 4
  for (int round = 0; round < 4; ++round) {
    Ints y[kChunk];
#pragma GCC unroll 8
    for (int i = 0; i < kChunk / 2; ++i) {
      y[2 * i] = low_bytes(x[i], x[i + kChunk / 2]);
      y[2 * i + 1] = high_bytes(x[i], x[i + kChunk / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kChunk; ++i) x[i] = y[i];
  }
}

/// Sixteen channels of a tile's pixels to [channel][kTile].
HWY_INLINE void channels_of_pixels(const uint8_t* from, const TilePixels& pixels, uint8_t* to) {
  Ints x[kChunk];
#pragma GCC unroll 16
  for (int i = 0; i < kChunk; ++i) x[i] = gather_pieces(from, pixels, i);
  turn_over(x);
#pragma GCC unroll 16
  for (int i = 0; i < kChunk; ++i) store_pieces(x[i], to + i * kTile, kPieces);
}

/// The reverse.
HWY_INLINE void pixels_of_channels(const uint8_t* from, const TilePixels& pixels, uint8_t* to) {
  Ints x[kChunk];
#pragma GCC unroll 16
  for (int i = 0; i < kChunk; ++i) x[i] = load(from + i * kTile);
  turn_over(x);
#pragma GCC unroll 16
  for (int i = 0; i < kChunk; ++i) scatter_pieces(x[i], to, pixels, i);
}

/// kRows rows of a group, from their nonzeros to bytes [row][kTile]; returns what follows them.
template <Product kProduct, int kRows>
HWY_INLINE const int16_t* multiply_group(const SparseCall& call, const SparseGroup& group,
                                         const int16_t* stream, const uint8_t* panel,
                                         const Requantizer& to_bytes, const uint8_t* residual,
                                         uint8_t* to) {
  using D = Dot<kProduct>;
  const PackedSparse& weights = call.weights;
  Ints sums[kRows][4];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const Ints bias = broadcast(weights.bias[static_cast<size_t>(group.first + r)]);
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sums[r][v] = bias;
  }
  for (int i = group.fours; i > 0; --i, stream += 4 + 2 * kRows) {
    const auto channel = [&](int c) {
      return load(panel + 8 * int64_t{static_cast<uint16_t>(stream[c])});
    };
    const Ints a = channel(0), b = channel(1), c = channel(2), d = channel(3);
    const Ints ab[] = {low_bytes(a, b), high_bytes(a, b)};
    const Ints cd[] = {low_bytes(c, d), high_bytes(c, d)};
    const Ints x[] = {low_words(ab[0], cd[0]), high_words(ab[0], cd[0]), low_words(ab[1], cd[1]),
                      high_words(ab[1], cd[1])};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      int32_t four;
      std::memcpy(&four, stream + 4 + 2 * r, sizeof four);
      const auto w = D::weights(broadcast(four));
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sums[r][v] = D::add(sums[r][v], D::bytes(x[v]), w);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const Floats multiplier =
        broadcast_float(weights.multipliers[static_cast<size_t>(group.first + r)]);
    Floats y[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) y[v] = multiply(to_floats(sums[r][v]), multiplier);
    if (residual != nullptr) {
      Ints x[4];
      load_bytes<4>(residual + r * kTile, x);
      const Ints zero_point = broadcast(call.residual.zero_point);
      const Floats scale = broadcast_float(call.residual.multiplier);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        const Floats added = multiply(to_floats(subtract(x[v], zero_point)), scale);
        y[v] = add_floats(y[v], added);
      }
    }
    store_bytes<4>(to_bytes, y, to + r * kTile);
  }
  return stream;
}

template <Product kProduct>
void sparse_tiles(const SparseCall& call, int64_t begin, int64_t end, uint8_t* panel) {
  const PackedSparse& weights = call.weights;
  const Requantizer to_bytes(call.output);
  const int64_t in_bytes = pixel_bytes(weights.channels), out_bytes = pixel_bytes(weights.rows);
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t pixel = tile * kTile, count = std::min(call.input.count - pixel, int64_t{kTile});
    const TilePixels in(count, call.input.pixel), out(count, out_bytes);
    for (int64_t c = 0; c < in_bytes; c += kChunk) {
      channels_of_pixels(call.input.data + pixel * call.input.pixel + c, in, panel + c * kTile);
    }
    const int16_t* stream = weights.stream.data();
    auto group = weights.groups.begin();
    for (int64_t chunk = 0; chunk < out_bytes; chunk += kChunk) {
      alignas(64) uint8_t made[kChunk * kTile], others[kChunk * kTile];
      const uint8_t* added = nullptr;
      if (call.residual.data != nullptr) {
        channels_of_pixels(call.residual.data + pixel * out_bytes + chunk, out, others);
        added = others;
      }
      for (; group != weights.groups.end() && group->first < chunk + kChunk; ++group) {
        const int64_t at = (group->first - chunk) * kTile;
        const uint8_t* other = added == nullptr ? nullptr : added + at;
        stream = group->rows == 4 ? multiply_group<kProduct, 4>(call, *group, stream, panel,
                                                                to_bytes, other, made + at)
                                  : multiply_group<kProduct, 1>(call, *group, stream, panel,
                                                                to_bytes, other, made + at);
      }
      pixels_of_channels(made, out, call.to + pixel * out_bytes + chunk);
    }
  }
}

SparseKernel sparse_kernel(Product product) {
  return product == Product::instruction ? &sparse_tiles<Product::instruction>
                                         : &sparse_tiles<Product::pairs>;
}

#else

/// Pixels side by side, which is what compilers make vectors of.
inline constexpr int kTile = 16;

void sparse_tiles(const SparseCall& call, int64_t begin, int64_t end, uint8_t* panel) {
  const PackedSparse& weights = call.weights;
  const int64_t out_bytes = pixel_bytes(weights.rows);
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t pixel = tile * kTile, count = std::min(call.input.count - pixel, int64_t{kTile});
    const uint8_t* in = call.input.data + pixel * call.input.pixel;
    for (int64_t c = 0; c < weights.channels; ++c) {
      for (int64_t p = 0; p < kTile; ++p) {
        panel[c * kTile + p] = in[std::min(p, count - 1) * call.input.pixel + c];
      }
    }
    const int16_t* stream = weights.stream.data();
    for (const SparseGroup& group : weights.groups) {
      int32_t sums[4][kTile];
      for (int r = 0; r < group.rows; ++r) {
        std::fill_n(sums[r], kTile, weights.bias[static_cast<size_t>(group.first + r)]);
      }
      for (int i = 0; i < group.fours; ++i, stream += 4 + 2 * group.rows) {
        for (int r = 0; r < group.rows; ++r) {
          int8_t w[4];
          std::memcpy(w, stream + 4 + 2 * r, sizeof w);
          for (int c = 0; c < 4; ++c) {
            const uint8_t* x = panel + 8 * int64_t{static_cast<uint16_t>(stream[c])};
            for (int p = 0; p < kTile; ++p) sums[r][p] += x[p] * w[c];
          }
        }
      }
      for (int r = 0; r < group.rows; ++r) {
        const int64_t row = group.first + r;
        for (int64_t p = 0; p < count; ++p) {
          const int64_t at = (pixel + p) * out_bytes + row;
          float value =
              static_cast<float>(sums[r][p]) * weights.multipliers[static_cast<size_t>(row)];
          if (call.residual.data != nullptr) {
            const int other = call.residual.data[at] - call.residual.zero_point;
            const float added = static_cast<float>(other) * call.residual.multiplier;
            value += added;
          }
          call.to[at] = round_to_byte(value, call.output);
        }
      }
    }
  }
}

SparseKernel sparse_kernel(Product) {
  return &sparse_tiles;
}

#endif  // EDGEPRUNE_INT8_VECTORS

int sparse_tile() {
  return kTile;
}

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_SPARSE_POINTWISE_INL_H_
