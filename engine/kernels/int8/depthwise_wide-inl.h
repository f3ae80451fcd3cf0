// 3x3 depthwise convolutions on vectors of 64 bytes, where the weights and columns of half of a block's channels fit
// the registers: nothing but rows of the map is loaded for each output.

#if defined(EDGEPRUNE_INT8_DEPTHWISE_WIDE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_DEPTHWISE_WIDE_INL_H_
#undef EDGEPRUNE_INT8_DEPTHWISE_WIDE_INL_H_
#else
#define EDGEPRUNE_INT8_DEPTHWISE_WIDE_INL_H_
#endif

#include "engine/kernels/int8/depthwise_columns-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS && HWY_MAX_BYTES >= 64

/// Of columns x, x + apart, ... those that are less than `width`, `pixel` bytes each.
template <int kCount>
HWY_INLINE void store_columns(Ints a, uint8_t* row, int64_t x, int64_t apart, int64_t width,
                              int64_t pixel) {
  uint8_t* const to = row + x * pixel;
  const auto wanted = [&](int i) { return x + i * apart < width; };
  if constexpr (kCount == 2) {
    const auto half = [&](int i)
                          HWY_ATTR { return reinterpret_cast<__m256i*>(to + i * apart * pixel); };
    _mm256_storeu_si256(half(0), _mm512_castsi512_si256(a));
    if (wanted(1)) _mm256_storeu_si256(half(1), _mm512_extracti64x4_epi64(a, 1));
  } else {
    const auto quarter = [&](int i) HWY_ATTR {
      return reinterpret_cast<__m128i*>(to + i * apart * pixel);
    };
    _mm_storeu_si128(quarter(0), _mm512_castsi512_si128(a));
    if (wanted(1)) _mm_storeu_si128(quarter(1), _mm512_extracti32x4_epi32(a, 1));
    if (wanted(2)) _mm_storeu_si128(quarter(2), _mm512_extracti32x4_epi32(a, 2));
    if (wanted(3)) _mm_storeu_si128(quarter(3), _mm512_extracti32x4_epi32(a, 3));
  }
}

/// What fills a vector: kUsed pieces of 16 channels of a pixel, or, where those are a half or a quarter of a vector,
/// of as many pixels as make it whole.
template <int kUsed>
inline constexpr int kStreamsOf = kUsed == 3 ? 1 : 4 / kUsed;

/// Rows of the map one under another, of a block's channels; a vector's pixels are `apart` columns from one another.
template <int kUsed>
struct WideRows {
  static constexpr int kStreams = kStreamsOf<kUsed>;
  const uint8_t* rows[4];
  int64_t pixel, apart, width;
  const uint8_t* padding;

  /// Columns up to this one, from 0 on, are inside of the map with all of their pixels.
  HWY_INLINE int64_t end_of_whole() const { return width - (kStreams - 1) * apart; }
  template <bool kWhole>
  HWY_INLINE Ints row(int r, int64_t x) const {
    if constexpr (kUsed == 3) {
      return load_pieces(kWhole || (x >= 0 && x < width) ? rows[r] + x * pixel : padding, kUsed);
    } else if constexpr (kUsed == 4) {
      return load(kWhole || (x >= 0 && x < width) ? rows[r] + x * pixel : padding);
    } else {
      const uint8_t* from[kStreams];
#pragma GCC unroll 4
      for (int i = 0; i < kStreams; ++i) {
        const int64_t w = x + i * apart;
        from[i] = kWhole || (w >= 0 && w < width) ? rows[r] + w * pixel : padding;
      }
      return load_streams<kStreams>(from);
    }
  }
};

/// Of every 16 channels of a column the first eight, or the others: two vectors of sums' worth of bytes. The
/// fourth row is that of a second row of outputs; without, it weighs nothing.
template <typename D>
struct HalfColumn {
  typename D::Prepared vectors[2];
};

template <typename D, int kRows, bool kHigh, bool kWhole, int kUsed>
HWY_INLINE HalfColumn<D> half_column(const WideRows<kUsed>& map, int64_t x) {
  Ints bytes[4];
#pragma GCC unroll 4
  for (int r = 0; r < kRows + 2; ++r) bytes[r] = map.template row<kWhole>(r, x);
  if constexpr (kRows == 1) bytes[3] = bytes[2];
  const Ints upper = kHigh ? high_bytes(bytes[0], bytes[1]) : low_bytes(bytes[0], bytes[1]);
  const Ints lower = kHigh ? high_bytes(bytes[2], bytes[3]) : low_bytes(bytes[2], bytes[3]);
  return {{D::bytes(low_words(upper, lower)), D::bytes(high_words(upper, lower))}};
}

/// What makes words of half of a block's channels, for one row of outputs or two. Bytes of `outside` are those
/// of rows outside of the map: instead of them their padding is in the sums from the start.
template <typename D, int kRows, bool kHigh, bool kMayGate>
struct WideHalf {
  HWY_INLINE WideHalf(const int8_t* weights, const int32_t* bias, const float* multipliers,
                      int32_t outside, Ints zero_point) {
    const Ints kept = broadcast(~outside), dropped = broadcast(outside);
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const int v = 2 * kHigh + i;
      multiplier[i] = load_floats(multipliers + v * kLanes);
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) start[r][i] = load(bias + v * kLanes);
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        Ints taps[2] = {load(weights + (k * kRows * 4 + v) * kLanes * 4)};
        taps[1] = _mm512_slli_epi32(taps[0], 8);  // as they are packed, too
#pragma GCC unroll 2
        for (int r = 0; r < kRows; ++r) {
          if (outside != 0) {
            start[r][i] = D::add(start[r][i], D::bytes(zero_point),
                                 D::weights(_mm512_and_si512(taps[r], dropped)));
            taps[r] = _mm512_and_si512(taps[r], kept);
          }
          w[k][r][i] = D::weights(taps[r]);
        }
      }
    }
  }

  HWY_INLINE Ints words(const Requantizer& to_bytes, int r, const HalfColumn<D>& left,
                        const HalfColumn<D>& middle, const HalfColumn<D>& right) const {
    Ints ints[2];
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      Ints sums = D::add(start[r][v], left.vectors[v], w[0][r][v]);
      sums = D::add(sums, middle.vectors[v], w[1][r][v]);
      sums = D::add(sums, right.vectors[v], w[2][r][v]);
      ints[v] = to_bytes.template rounded<kMayGate>(multiply(to_floats(sums), multiplier[v]));
    }
    return pack_words(ints[0], ints[1]);
  }

  typename D::Prepared w[3][kRows][2];
  Ints start[kRows][2];
  Floats multiplier[2];
};

/// Calls take(i, r, words) for `count` columns of outputs from `first` on, the second row first.
template <typename D, int kStride, int kRows, bool kHigh, bool kMayGate, int kUsed, typename Take>
HWY_INLINE void half_of_outputs(const WideRows<kUsed>& map,
                                const WideHalf<D, kRows, kHigh, kMayGate>& half,
                                const Requantizer& to_bytes, int64_t first, int64_t count,
                                const Take& take) {
  HalfColumn<D> left = half_column<D, kRows, kHigh, false>(map, first * kStride - 1), middle, right;
  if constexpr (kStride == 1) middle = half_column<D, kRows, kHigh, false>(map, first);
  // All outputs but the last few read columns that are whole.
  const int64_t whole = (map.end_of_whole() - 2 + kStride) / kStride - first;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t x = (first + i) * kStride;
    if (HWY_LIKELY(i < whole)) {
      if constexpr (kStride == 2) middle = half_column<D, kRows, kHigh, true>(map, x);
      right = half_column<D, kRows, kHigh, true>(map, x + 1);
    } else {
      if constexpr (kStride == 2) middle = half_column<D, kRows, kHigh, false>(map, x);
      right = half_column<D, kRows, kHigh, false>(map, x + 1);
    }
#pragma GCC unroll 2
    for (int r = kRows - 1; r >= 0; --r) take(i, r, half.words(to_bytes, r, left, middle, right));
    left = kStride == 1 ? middle : right;
    if constexpr (kStride == 1) middle = right;
  }
}

/// A row of outputs, or two with stride 1: what they read and write of channel 0.
template <int kStride>
struct WideOutputs {
  static constexpr int kRows = kStride == 1 ? 2 : 1;
  HWY_INLINE WideOutputs(const DepthwiseCall& call, const DepthwiseItem& item)
      : pixel(pixel_bytes(call.shape.in_channels)), width(call.shape.out_width()) {
    const Conv2dShape& s = call.shape;
    const int64_t height = s.out_height();
    for (int r = 0; r < 4; ++r) {
      const int64_t h = item.row * kStride - 1 + r;
      const int64_t inside = std::clamp<int64_t>(h, 0, s.in_height - 1);
      if (h != inside) outside |= 0xFF << (8 * r);
      rows[r] = call.input + (item.image * s.in_height + inside) * s.in_width * pixel;
    }
    to = call.to + (item.image * height + item.row) * width * pixel;
    next_row = item.row + 1 < height ? width * pixel : 0;
  }
  const uint8_t* rows[4];
  int32_t outside = 0;  ///< bytes of rows that are outside of the map
  uint8_t* to;
  int64_t pixel, width;
  int64_t next_row;  ///< 0 where there is no second one, whose bytes are overwritten by the first's
};

/// Those of a block of channels.
template <Product kProduct, int kStride, bool kMayGate, int kUsed>
HWY_INLINE void run_wide(const DepthwiseCall& call, const WideOutputs<kStride>& outputs,
                         int64_t block) {
  using D = Dot<kProduct>;
  constexpr int kRows = WideOutputs<kStride>::kRows, kStreams = kStreamsOf<kUsed>;
  constexpr int64_t kOutputs = 32;  // whose words are kept while the other half's are made
  const PackedDepthwise& packed = call.weights;
  const int64_t pixel = outputs.pixel, first = block * packed.blocks.channels;
  const int64_t width = outputs.width, span = (width + kStreams - 1) / kStreams;
  WideRows<kUsed> map{.rows = {},
                      .pixel = pixel,
                      .apart = span * kStride,
                      .width = call.shape.in_width,
                      .padding = packed.padding.data()};
  for (int r = 0; r < 4; ++r) map.rows[r] = outputs.rows[r] + first;
  const int8_t* weights = packed.values() + block * packed.block_bytes();
  const int32_t* bias = packed.bias() + first;
  const float* multipliers = packed.multipliers() + first;
  const Ints zero_point = broadcast_byte(packed.input.zero_point);
  const Requantizer to_bytes(call.output);
  uint8_t* const to = outputs.to + first;
  const int64_t next_row = outputs.next_row;
  for (int64_t begin = 0; begin < span; begin += kOutputs) {
    const int64_t count = std::min(kOutputs, span - begin);
    Ints low[kOutputs][kRows];
    half_of_outputs<D, kStride>(map,
                                WideHalf<D, kRows, false, kMayGate>(weights, bias, multipliers,
                                                                    outputs.outside, zero_point),
                                to_bytes, begin, count,
                                [&](int64_t i, int r, Ints words) HWY_ATTR { low[i][r] = words; });
    half_of_outputs<D, kStride>(
        map,
        WideHalf<D, kRows, true, kMayGate>(weights, bias, multipliers, outputs.outside, zero_point),
        to_bytes, begin, count, [&](int64_t i, int r, Ints words) HWY_ATTR {
          const Ints bytes = to_bytes.bytes(low[i][r], words);
          uint8_t* const row = to + r * next_row;
          if constexpr (kStreams == 1) {
            store_pieces(bytes, row + (begin + i) * pixel, kUsed);
          } else {
            store_columns<kStreams>(bytes, row, begin + i, span, width, pixel);
          }
        });
  }
}

template <Product kProduct, int kStride, bool kMayGate>
void wide_items_of(const DepthwiseCall& call, int64_t begin, int64_t end) {
  const int64_t blocks = call.weights.block_count(), last = blocks - 1;
  const int64_t left = pixel_bytes(call.shape.in_channels) - last * call.weights.blocks.channels;
  while (begin < end) {
    const DepthwiseItem item(call, begin);
    const WideOutputs<kStride> outputs(call, item);
    const int64_t until = std::min(blocks, item.block + end - begin);
    begin += until - item.block;
    for (int64_t block = item.block; block < until; ++block) {
      if (block < last || left == 64) {
        run_wide<kProduct, kStride, kMayGate, 4>(call, outputs, block);
      } else if (left == 48) {
        run_wide<kProduct, kStride, kMayGate, 3>(call, outputs, block);
      } else if (left == 32) {
        run_wide<kProduct, kStride, kMayGate, 2>(call, outputs, block);
      } else {
        run_wide<kProduct, kStride, kMayGate, 1>(call, outputs, block);
      }
    }
  }
}

template <Product kProduct, int kStride>
void wide_items(const DepthwiseCall& call, int64_t begin, int64_t end) {
  if (call.output.gate) return wide_items_of<kProduct, kStride, true>(call, begin, end);
  wide_items_of<kProduct, kStride, false>(call, begin, end);
}

template <int kStride>
DepthwiseKernel wide_kernel(Product product) {
  switch (product) {
    case Product::instruction:
      return &wide_items<Product::instruction, kStride>;
    case Product::pairs:
      return &wide_items<Product::pairs, kStride>;
    case Product::words:
      return &wide_items<Product::words, kStride>;
  }
  return nullptr;
}

#endif

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_DEPTHWISE_WIDE_INL_H_
