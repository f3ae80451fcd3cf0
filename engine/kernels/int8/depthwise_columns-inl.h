// How the loops of depthwise-inl.h read the map: columns of its pixels, interleaved for dot products.

#if defined(EDGEPRUNE_INT8_DEPTHWISE_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_DEPTHWISE_COLUMNS_INL_H_
#undef EDGEPRUNE_INT8_DEPTHWISE_COLUMNS_INL_H_
#else
#define EDGEPRUNE_INT8_DEPTHWISE_COLUMNS_INL_H_
#endif

#include "engine/kernels/int8/depthwise_packing.h"
#include "engine/kernels/int8/requantize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

/// Where an item's outputs lie.
struct DepthwiseItem {
  HWY_INLINE DepthwiseItem(const DepthwiseCall& call, int64_t item) {
    const int64_t blocks = call.weights.block_count(), groups = call.row_groups();
    block = item % blocks;
    row = item / blocks % groups * std::max(1, call.weights.blocks.window.rows);
    image = item / blocks / groups;
  }
  int64_t block, row, image;
};

#if EDGEPRUNE_INT8_VECTORS

/// Rows of the map one under another, of a block's channels; what is outside has step 0.
template <int kQuads>
struct RowsOfMap {
  const uint8_t* rows[4 * kQuads];
  int64_t steps[4 * kQuads];
};

template <int kQuads>
HWY_INLINE RowsOfMap<kQuads> rows_of_map(const DepthwiseCall& call, const DepthwiseItem& item,
                                         int64_t top) {
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels);
  const uint8_t* map = call.input + item.image * s.in_height * s.in_width * pixel +
                       item.block * call.weights.blocks.channels;
  RowsOfMap<kQuads> rows;
  for (int i = 0; i < 4 * kQuads; ++i) {
    const int64_t h = top + i;
    const bool inside = h >= 0 && h < s.in_height;
    rows.rows[i] = inside ? map + h * s.in_width * pixel : call.weights.padding.data();
    rows.steps[i] = inside ? pixel : 0;
  }
  return rows;
}

/// Of four rows one under another, four vectors of sums' worth of bytes.
template <typename D>
struct Four {
  typename D::Prepared vectors[4];
};
/// Of all rows that are read.
template <typename D, int kQuads>
struct Column {
  Four<D> quads[kQuads];
};
/// `four` says what the rows from its argument on hold.
template <typename D, int kQuads, typename OfRows>
HWY_INLINE Column<D, kQuads> column_by(const OfRows& four) {
  if constexpr (kQuads == 1) return {{four(0)}};
  if constexpr (kQuads == 2) return {{four(0), four(4)}};
}

template <typename D>
HWY_INLINE Four<D> interleave(Ints a, Ints b, Ints c, Ints d) {
  const Ints ab_low = low_bytes(a, b), ab_high = high_bytes(a, b);
  const Ints cd_low = low_bytes(c, d), cd_high = high_bytes(c, d);
  return {{D::bytes(low_words(ab_low, cd_low)), D::bytes(high_words(ab_low, cd_low)),
           D::bytes(low_words(ab_high, cd_high)), D::bytes(high_words(ab_high, cd_high))}};
}

/// What a vector of bytes holds: `pieces` of 16 channels of a pixel, or of a block that is half a vector or a
/// quarter the channels of as many pixels, `span` outputs apart, so that no lanes are idle.
template <int kStreams>
struct Lanes {
  int pieces;
  int64_t span;
};

template <typename D, int kQuads>
HWY_INLINE Column<D, kQuads> column_of(const RowsOfMap<kQuads>& rows, int64_t x, int pieces) {
  return column_by<D, kQuads>([&](int r) HWY_ATTR {
    return interleave<D>(load_pieces(rows.rows[r] + x * rows.steps[r], pieces),
                         load_pieces(rows.rows[r + 1] + x * rows.steps[r + 1], pieces),
                         load_pieces(rows.rows[r + 2] + x * rows.steps[r + 2], pieces),
                         load_pieces(rows.rows[r + 3] + x * rows.steps[r + 3], pieces));
  });
}

/// Pieces of equal size from kCount places make a vector; the first `wanted` of them go to places so many bytes
/// apart.
#if HWY_MAX_BYTES >= 64
template <int kCount>
HWY_INLINE Ints load_streams(const uint8_t* const* from) {
  const auto quarter = [](const uint8_t* at) HWY_ATTR {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  };
  if constexpr (kCount == 2) {
    const auto half = [](const uint8_t* at) HWY_ATTR {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    };
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(from[0])), half(from[1]), 1);
  } else {
    const Ints two =
        _mm512_inserti32x4(_mm512_castsi128_si512(quarter(from[0])), quarter(from[1]), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(two, quarter(from[2]), 2), quarter(from[3]), 3);
  }
}
template <int kCount>
HWY_INLINE void store_streams(Ints a, uint8_t* to, int64_t apart, int64_t wanted) {
  constexpr unsigned kMask = 0xFFFFu >> (16 - 16 / kCount);
#pragma GCC unroll 4
  for (int i = 0; i < kCount; ++i) {  // from to - i pieces, of which only the one is written
    if (i >= wanted) return;
    _mm512_mask_storeu_epi32(to + i * (apart - 64 / kCount),
                             static_cast<__mmask16>(kMask << (i * 16 / kCount)), a);
  }
}
#else
template <int kCount>
HWY_INLINE Ints load_streams(const uint8_t* const* from) {
  const auto half = [](const uint8_t* at)
                        HWY_ATTR { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(half(from[0])), half(from[1]), 1);
}
template <int kCount>
HWY_INLINE void store_streams(Ints a, uint8_t* to, int64_t apart, int64_t wanted) {
  store_pieces(a, to, 1);
  if (wanted < 2) return;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to + apart), _mm256_extracti128_si256(a, 1));
}
#endif

/// Of kStreams pixels, `apart` columns apart, of which those outside of the map are padding.
template <typename D, int kQuads, int kStreams>
HWY_INLINE Column<D, kQuads> column_of_streams(const RowsOfMap<kQuads>& rows, int64_t x,
                                               int64_t apart, int64_t width,
                                               const uint8_t* padding) {
  const bool inside = x >= 0 && x + (kStreams - 1) * apart < width;
  return column_by<D, kQuads>([&](int first) HWY_ATTR {
    Ints bytes[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const uint8_t* const row = rows.rows[first + r];
      const uint8_t* from[kStreams];
#pragma GCC unroll 4
      for (int i = 0; i < kStreams; ++i) {
        const int64_t w = x + i * apart;
        from[i] = inside || (w >= 0 && w < width) ? row + w * rows.steps[first + r] : padding;
      }
      bytes[r] = load_streams<kStreams>(from);
    }
    return interleave<D>(bytes[0], bytes[1], bytes[2], bytes[3]);
  });
}

#endif  // EDGEPRUNE_INT8_VECTORS

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_DEPTHWISE_COLUMNS_INL_H_
