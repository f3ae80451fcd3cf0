// The loops of depthwise.cpp.

#if defined(EDGEPRUNE_INT8_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#undef EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#endif

#include "engine/kernels/int8/depthwise_packing.h"
#include "engine/kernels/int8/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

/// Where an item's outputs lie.
struct DepthwiseItem {
  HWY_INLINE DepthwiseItem(const DepthwiseCall& call, int64_t item) {
    const int64_t blocks = call.weights.block_count(), groups = call.row_groups();
    block = item % blocks;
    row = item / blocks % groups * std::max(1, call.weights.blocks.rows);
    image = item / blocks / groups;
  }
  int64_t block, row, image;
};

#if EDGEPRUNE_INT8_VECTORS

/// Rows of the map one under another, of a block's channels; what is outside has step 0.
struct RowsOfMap {
  const uint8_t* rows[4];
  int64_t steps[4];
};

HWY_INLINE RowsOfMap rows_of_map(const DepthwiseCall& call, const DepthwiseItem& item,
                                 int64_t top) {
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels);
  const uint8_t* map = call.input + item.image * s.in_height * s.in_width * pixel +
                       item.block * call.weights.blocks.channels;
  RowsOfMap rows;
  for (int i = 0; i < 4; ++i) {
    const int64_t h = top + i;
    const bool inside = h >= 0 && h < s.in_height;
    rows.rows[i] = inside ? map + h * s.in_width * pixel : call.weights.padding.data();
    rows.steps[i] = inside ? pixel : 0;
  }
  return rows;
}

/// Four vectors of sums' worth of bytes.
template <typename Prepared>
struct Column {
  Prepared vectors[4];
};

template <typename D>
HWY_INLINE Column<typename D::Prepared> interleave(Ints a, Ints b, Ints c, Ints d) {
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

template <typename D>
HWY_INLINE Column<typename D::Prepared> column_of(const RowsOfMap& rows, int64_t x, int pieces) {
  return interleave<D>(load_pieces(rows.rows[0] + x * rows.steps[0], pieces),
                       load_pieces(rows.rows[1] + x * rows.steps[1], pieces),
                       load_pieces(rows.rows[2] + x * rows.steps[2], pieces),
                       load_pieces(rows.rows[3] + x * rows.steps[3], pieces));
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
template <typename D, int kStreams>
HWY_INLINE Column<typename D::Prepared> column_of_streams(const RowsOfMap& rows, int64_t x,
                                                          int64_t apart, int64_t width,
                                                          const uint8_t* padding) {
  const bool inside = x >= 0 && x + (kStreams - 1) * apart < width;
  Ints bytes[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const uint8_t* from[kStreams];
#pragma GCC unroll 4
    for (int i = 0; i < kStreams; ++i) {
      const int64_t w = x + i * apart;
      from[i] = inside || (w >= 0 && w < width) ? rows.rows[r] + w * rows.steps[r] : padding;
    }
    bytes[r] = load_streams<kStreams>(from);
  }
  return interleave<D>(bytes[0], bytes[1], bytes[2], bytes[3]);
}

/// Outputs side by side that share what is loaded of the weights, where registers suffice.
template <int kStride>
inline constexpr int kOutputs = kStride == 1 ? 2 : 1;

/// kOutputs columns of kRows outputs, one under another; null: not wanted; of several streams, the first
/// `wanted`.
template <typename D, int kRows, int kStride, int kStreams>
HWY_INLINE void outputs(const Column<typename D::Prepared>* columns, const int8_t* weights,
                        const int32_t* bias, const float* multipliers, const Requantizer& to_bytes,
                        uint8_t* const (&to)[kOutputs<kStride>][kRows],
                        int64_t (&wanted)[kOutputs<kStride>], int pieces, int64_t apart) {
  Ints words[kOutputs<kStride>][kRows][2];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    Ints ints[kOutputs<kStride>][kRows][2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const int v = 2 * half + i;
      typename D::Prepared w[3][kRows];
#pragma GCC unroll 6
      for (int k = 0; k < 3 * kRows; ++k) {
        w[k / kRows][k % kRows] = D::weights(load(weights + (k * 4 + v) * kLanes * 4));
      }
      const Ints start = load(bias + v * kLanes);
      const Floats multiplier = load_floats(multipliers + v * kLanes);
#pragma GCC unroll 2
      for (int x = 0; x < kOutputs<kStride>; ++x) {
#pragma GCC unroll 2
        for (int r = 0; r < kRows; ++r) {
          Ints sums = start;
#pragma GCC unroll 3
          for (int k = 0; k < 3; ++k) {
            sums = D::add(sums, columns[x * kStride + k].vectors[v], w[k][r]);
          }
          ints[x][r][i] = to_nearest(multiply(to_floats(sums), multiplier));
        }
      }
    }
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs<kStride> * kRows; ++o) {
      const int x = o / kRows, r = o % kRows;
      words[x][r][half] = pack_words(ints[x][r][0], ints[x][r][1]);
    }
  }
#pragma GCC unroll 4
  for (int o = 0; o < kOutputs<kStride> * kRows; ++o) {
    const int x = o / kRows, r = o % kRows;
    if (to[x][r] == nullptr) continue;
    const Ints bytes = to_bytes.bytes(words[x][r][0], words[x][r][1]);
    if constexpr (kStreams == 1) {
      store_pieces(bytes, to[x][r], pieces);
    } else {
      store_streams<kStreams>(bytes, to[x][r], apart, wanted[x]);
    }
  }
}

/// A row of outputs, or two with stride 1.
template <Product kProduct, int kStride, int kStreams>
HWY_INLINE void run_rows(const DepthwiseCall& call, const DepthwiseItem& item,
                         const Lanes<kStreams>& lanes) {
  using D = Dot<kProduct>;
  constexpr int kRows = kStride == 1 ? 2 : 1;
  constexpr int kNew = kOutputs<kStride> * kStride, kColumns = kNew - kStride + 3,
                kOld = kColumns - kNew;
  const PackedDepthwise& packed = call.weights;
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels), first = item.block * packed.blocks.channels;
  const int64_t height = s.out_height(), width = s.out_width();
  const RowsOfMap rows = rows_of_map(call, item, item.row * kStride - 1);
  const int8_t* weights = packed.values() + item.block * packed.block_bytes();
  const int32_t* bias = packed.bias() + first;
  const float* multipliers = packed.multipliers() + first;
  const Requantizer to_bytes(call.output);
  uint8_t* const row = call.to + (item.image * height + item.row) * width * pixel + first;
  const bool second = item.row + 1 < height;

  const Ints zero = broadcast_byte(packed.input.zero_point);
  const Column<typename D::Prepared> outside = interleave<D>(zero, zero, zero, zero);
  const auto column = [&](int64_t x) HWY_ATTR {
    if constexpr (kStreams > 1) {
      return column_of_streams<D, kStreams>(rows, x, lanes.span * kStride, s.in_width,
                                            packed.padding.data());
    }
    return x < s.in_width ? column_of<D>(rows, x, lanes.pieces) : outside;
  };
  // Of the columns from -1 on; those that the next outputs need too move to the front.
  Column<typename D::Prepared> columns[kColumns];
  columns[kNew] = kStreams > 1 ? column(-1) : outside;
  if constexpr (kOld > 1) columns[kNew + 1] = column(0);
  for (int64_t x = 0; x < lanes.span; x += kOutputs<kStride>) {
#pragma GCC unroll 2
    for (int k = 0; k < kOld; ++k) columns[k] = columns[kNew + k];
#pragma GCC unroll 4
    for (int k = kOld; k < kColumns; ++k) columns[k] = column(x * kStride - 1 + k);
    uint8_t* to[kOutputs<kStride>][kRows];
    int64_t wanted[kOutputs<kStride>] = {};
    for (int i = 0; i < kOutputs<kStride>; ++i) {
      const int64_t at_x = x + i;
      uint8_t* const at = at_x < std::min(lanes.span, width) ? row + at_x * pixel : nullptr;
      to[i][0] = at;
      if constexpr (kRows > 1) to[i][1] = at != nullptr && second ? at + width * pixel : nullptr;
      if constexpr (kStreams > 1) wanted[i] = (width - at_x + lanes.span - 1) / lanes.span;
    }
    // Hides from the compiler that these stay the same: it would keep each of the addresses that are
    // some bytes behind them, of which there are more than registers.
    asm("" : "+r"(weights), "+r"(bias), "+r"(multipliers));
    outputs<D, kRows, kStride, kStreams>(columns, weights, bias, multipliers, to_bytes, to, wanted,
                                         lanes.pieces, lanes.span * pixel);
  }
}

template <Product kProduct, int kStride>
void depthwise_items(const DepthwiseCall& call, int64_t begin, int64_t end) {
  const int64_t bytes = pixel_bytes(call.shape.in_channels), width = call.shape.out_width();
  for (int64_t i = begin; i < end; ++i) {
    const DepthwiseItem item(call, i);
    const int64_t left = bytes - item.block * call.weights.blocks.channels;
    const int pieces = static_cast<int>(std::min<int64_t>(left / 16, kPieces));
    if (pieces == kPieces) {
      run_rows<kProduct, kStride, 1>(call, item, {kPieces, width});
    } else if (2 * pieces == kPieces) {
      run_rows<kProduct, kStride, 2>(call, item, {kPieces / 2, (width + 1) / 2});
#if HWY_MAX_BYTES >= 64
    } else if (4 * pieces == kPieces) {
      run_rows<kProduct, kStride, 4>(call, item, {kPieces / 4, (width + 3) / 4});
    } else {
      run_rows<kProduct, kStride, 1>(call, item, {pieces, width});
#endif
    }
  }
}

DepthwiseKernel depthwise_kernel(Product product, int64_t stride) {
  const bool one = stride == 1;
  switch (product) {
    case Product::instruction:
      return one ? &depthwise_items<Product::instruction, 1>
                 : &depthwise_items<Product::instruction, 2>;
    case Product::pairs:
      return one ? &depthwise_items<Product::pairs, 1> : &depthwise_items<Product::pairs, 2>;
    case Product::words:
      return one ? &depthwise_items<Product::words, 1> : &depthwise_items<Product::words, 2>;
  }
  return nullptr;
}
DepthwiseBlocks depthwise_blocks(int64_t stride) {
  return {4 * kLanes, stride == 1 ? 2 : 1};
}

#else

DepthwiseKernel depthwise_kernel(Product, int64_t) {
  return nullptr;
}
DepthwiseBlocks depthwise_blocks(int64_t) {
  return {16, 0};
}

#endif  // EDGEPRUNE_INT8_VECTORS

/// Any kernel size, stride and padding: sixteen channels side by side.
void depthwise_plain_items(const DepthwiseCall& call, int64_t begin, int64_t end) {
  constexpr int kChannels = 16;
  const PackedDepthwise& packed = call.weights;
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels);
  for (int64_t i = begin; i < end; ++i) {
    const DepthwiseItem item(call, i);
    const int64_t first = item.block * kChannels;
    const uint8_t* map = call.input + item.image * s.in_height * s.in_width * pixel + first;
    uint8_t* to =
        call.to + (item.image * s.out_height() + item.row) * s.out_width() * pixel + first;
    for (int64_t x = 0; x < s.out_width(); ++x, to += pixel) {
      int32_t sums[kChannels];
      std::copy_n(packed.bias() + first, kChannels, sums);
      for (int64_t tap = 0; tap < s.kernel * s.kernel; ++tap) {
        const int64_t h = item.row * s.stride - s.padding + tap / s.kernel;
        const int64_t w = x * s.stride - s.padding + tap % s.kernel;
        const bool inside = h >= 0 && h < s.in_height && w >= 0 && w < s.in_width;
        const uint8_t* in = inside ? map + (h * s.in_width + w) * pixel : packed.padding.data();
        const int8_t* weights = packed.values() + tap * pixel + first;
        for (int c = 0; c < kChannels; ++c) sums[c] += in[c] * weights[c];
      }
      for (int c = 0; c < kChannels; ++c) {
        const float value = static_cast<float>(sums[c]) * packed.multipliers()[first + c];
        to[c] = round_to_byte(value, call.output);
      }
    }
  }
}

DepthwiseKernel depthwise_plain_kernel() {
  return &depthwise_plain_items;
}

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_DEPTHWISE_INL_H_
