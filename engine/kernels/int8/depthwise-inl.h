// The loops of depthwise.cpp.

#if defined(EDGEPRUNE_INT8_DEPTHWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#undef EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#else
#define EDGEPRUNE_INT8_DEPTHWISE_INL_H_
#endif

#include "engine/kernels/int8/depthwise_neon-inl.h"
#include "engine/kernels/int8/depthwise_wide-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

/// A window of taps at a stride: how many outputs are made at once.
template <int kWindowTaps, int kWindowStride>
struct Window {
  static constexpr int kTaps = kWindowTaps, kStride = kWindowStride, kPadding = kTaps / 2;
  static constexpr DepthwiseWindow kRowsOfIt = depthwise_window(kTaps, kStride);
  static constexpr int kQuads = kRowsOfIt.quads, kRows = kRowsOfIt.rows;
  /// Side by side, sharing what is loaded of the weights, where registers suffice.
  static constexpr int kOutputs = kStride == 1 || kQuads > 1 ? 2 : 1;
  /// So often, before columns that the next outputs need too move to the front: where columns are more than
  /// registers hold, moving them costs.
  static constexpr int kSteps = kQuads == 1 ? 1 : 4;
  static constexpr int kNew = kSteps * kOutputs * kStride, kColumns = kNew - kStride + kTaps,
                       kOld = kColumns - kNew;
};

/// kOutputs columns of kRows outputs, one under another; null: not wanted; of several streams, the first
/// `wanted`.
template <typename D, typename W, int kStreams, bool kMayGate>
HWY_INLINE void outputs(const Column<D, W::kQuads>* columns, const int8_t* weights,
                        const int32_t* bias, const float* multipliers, const Requantizer& to_bytes,
                        uint8_t* const (&to)[W::kOutputs][W::kRows], int64_t (&wanted)[W::kOutputs],
                        int pieces, int64_t apart) {
  constexpr int kOutputs = W::kOutputs, kRows = W::kRows, kQuads = W::kQuads;
  Ints words[kOutputs][kRows][2];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    Ints ints[kOutputs][kRows][2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      const int v = 2 * half + i;
      const Ints start = load(bias + v * kLanes);
      Ints sums[kOutputs][kRows];
#pragma GCC unroll 8
      for (int o = 0; o < kOutputs * kRows; ++o) sums[o / kRows][o % kRows] = start;
#pragma GCC unroll 10
      for (int k = 0; k < W::kTaps * kQuads; ++k) {
        const int column = k / kQuads, quad = k % kQuads;
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          const auto w = D::weights(load(weights + ((k * kRows + r) * 4 + v) * kLanes * 4));
#pragma GCC unroll 2
          for (int x = 0; x < kOutputs; ++x) {
            sums[x][r] =
                D::add(sums[x][r], columns[x * W::kStride + column].quads[quad].vectors[v], w);
          }
        }
      }
      const Floats multiplier = load_floats(multipliers + v * kLanes);
#pragma GCC unroll 8
      for (int o = 0; o < kOutputs * kRows; ++o) {
        const int x = o / kRows, r = o % kRows;
        ints[x][r][i] =
            to_bytes.template rounded<kMayGate>(multiply(to_floats(sums[x][r]), multiplier));
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kOutputs * kRows; ++o) {
      const int x = o / kRows, r = o % kRows;
      words[x][r][half] = pack_words(ints[x][r][0], ints[x][r][1]);
    }
  }
#pragma GCC unroll 8
  for (int o = 0; o < kOutputs * kRows; ++o) {
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

/// Rows of outputs, as many as are made at once.
template <Product kProduct, typename W, bool kMayGate, int kStreams>
HWY_INLINE void run_rows(const DepthwiseCall& call, const DepthwiseItem& item,
                         const Lanes<kStreams>& lanes) {
  using D = Dot<kProduct>;
  using OneColumn = Column<D, W::kQuads>;
  constexpr int kOutputs = W::kOutputs, kRows = W::kRows, kStride = W::kStride;
  constexpr int kPadding = W::kPadding, kNew = W::kNew, kOld = W::kOld;
  const PackedDepthwise& packed = call.weights;
  const Conv2dShape& s = call.shape;
  const int64_t pixel = pixel_bytes(s.in_channels), first = item.block * packed.blocks.channels;
  const int64_t height = s.out_height(), width = s.out_width();
  const auto rows = rows_of_map<W::kQuads>(call, item, item.row * kStride - kPadding);
  const int8_t* weights = packed.values() + item.block * packed.block_bytes();
  const int32_t* bias = packed.bias() + first;
  const float* multipliers = packed.multipliers() + first;
  const Requantizer to_bytes(call.output);
  uint8_t* const row = call.to + (item.image * height + item.row) * width * pixel + first;

  const Ints zero = broadcast_byte(packed.input.zero_point);
  const OneColumn outside =
      column_by<D, W::kQuads>([&](int) HWY_ATTR { return interleave<D>(zero, zero, zero, zero); });
  const auto column = [&](int64_t x) HWY_ATTR {
    if constexpr (kStreams > 1) {
      return column_of_streams<D, W::kQuads, kStreams>(rows, x, lanes.span * kStride, s.in_width,
                                                       packed.padding.data());
    }
    return x < s.in_width ? column_of<D, W::kQuads>(rows, x, lanes.pieces) : outside;
  };
  const auto make = [&](int64_t left, const OneColumn* from) HWY_ATTR {
    uint8_t* to[kOutputs][kRows];
    int64_t wanted[kOutputs] = {};
    for (int i = 0; i < kOutputs; ++i) {
      const int64_t x = left + i;
      uint8_t* const at = x < std::min(lanes.span, width) ? row + x * pixel : nullptr;
      for (int r = 0; r < kRows; ++r) {
        to[i][r] = at != nullptr && item.row + r < height ? at + r * width * pixel : nullptr;
      }
      if constexpr (kStreams > 1) wanted[i] = (width - x + lanes.span - 1) / lanes.span;
    }
    // Hides from the compiler that these stay the same: it would keep each of the addresses that are
    // some bytes behind them, of which there are more than registers.
    asm("" : "+r"(weights), "+r"(bias), "+r"(multipliers));
    outputs<D, W, kStreams, kMayGate>(from, weights, bias, multipliers, to_bytes, to, wanted,
                                      lanes.pieces, lanes.span * pixel);
  };
  // Of the columns from -kPadding on.
  OneColumn columns[W::kColumns];
#pragma GCC unroll 4
  for (int k = 0; k < kOld; ++k) {
    columns[kNew + k] = kStreams > 1 || k >= kPadding ? column(k - kPadding) : outside;
  }
  for (int64_t left = 0; left < lanes.span; left += W::kSteps * kOutputs) {
#pragma GCC unroll 4
    for (int k = 0; k < kOld; ++k) columns[k] = columns[kNew + k];
    const int64_t in_left = left * kStride - kPadding;
    if constexpr (W::kSteps == 1) {
#pragma GCC unroll 4
      for (int k = kOld; k < W::kColumns; ++k) columns[k] = column(in_left + k);
    } else {
      for (int k = kOld; k < W::kColumns; ++k) columns[k] = column(in_left + k);
    }
    if constexpr (W::kSteps == 1) {
      make(left, columns);
    } else {
      for (int step = 0; step < W::kSteps && left + step * kOutputs < lanes.span; ++step) {
        make(left + step * kOutputs, columns + step * kOutputs * kStride);
      }
    }
  }
}

template <Product kProduct, typename W, bool kMayGate>
void items_of(const DepthwiseCall& call, int64_t begin, int64_t end) {
  const int64_t bytes = pixel_bytes(call.shape.in_channels), width = call.shape.out_width();
  for (int64_t i = begin; i < end; ++i) {
    const DepthwiseItem item(call, i);
    const int64_t left = bytes - item.block * call.weights.blocks.channels;
    const int pieces = static_cast<int>(std::min<int64_t>(left / 16, kPieces));
    if (pieces == kPieces) {
      run_rows<kProduct, W, kMayGate, 1>(call, item, {kPieces, width});
    } else if (2 * pieces == kPieces) {
      run_rows<kProduct, W, kMayGate, 2>(call, item, {kPieces / 2, (width + 1) / 2});
#if HWY_MAX_BYTES >= 64
    } else if (4 * pieces == kPieces) {
      run_rows<kProduct, W, kMayGate, 4>(call, item, {kPieces / 4, (width + 3) / 4});
    } else {
      run_rows<kProduct, W, kMayGate, 1>(call, item, {pieces, width});
#endif
    }
  }
}

/// 3x3 layers, which are quick, twice: asking each output for its gate takes a tenth of their time.
template <Product kProduct, typename W>
void depthwise_items(const DepthwiseCall& call, int64_t begin, int64_t end) {
  constexpr bool kQuick = W::kTaps == 3;
  if (kQuick && !call.output.gate) return items_of<kProduct, W, !kQuick>(call, begin, end);
  items_of<kProduct, W, true>(call, begin, end);
}

template <typename W>
DepthwiseKernel kernel_of(Product product) {
  switch (product) {
    case Product::instruction:
      return &depthwise_items<Product::instruction, W>;
    case Product::pairs:
      return &depthwise_items<Product::pairs, W>;
    case Product::words:
      return &depthwise_items<Product::words, W>;
  }
  return nullptr;
}

DepthwiseKernel depthwise_kernel(Product product, int64_t taps, int64_t stride) {
  const bool one = stride == 1;
  if (taps == 5) return one ? kernel_of<Window<5, 1>>(product) : kernel_of<Window<5, 2>>(product);
#if HWY_MAX_BYTES >= 64
  return one ? wide_kernel<1>(product) : wide_kernel<2>(product);
#else
  return one ? kernel_of<Window<3, 1>>(product) : kernel_of<Window<3, 2>>(product);
#endif
}
int64_t depthwise_lanes() {
  return kLanes;
}

#else

DepthwiseKernel depthwise_kernel(Product, int64_t, int64_t) {
  return nullptr;
}
int64_t depthwise_lanes() {
  return 0;
}

#endif  // EDGEPRUNE_INT8_VECTORS

#if EDGEPRUNE_INT8_NEON

AnyDepthwise any_depthwise(int highest) {
  return highest <= INT8_MAX ? AnyDepthwise{"pairs", &depthwise_neon_items<Product::pairs>}
                             : AnyDepthwise{"words", &depthwise_neon_items<Product::words>};
}

#else

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

AnyDepthwise any_depthwise(int) {
  return {"plain", &depthwise_plain_items};
}

#endif  // EDGEPRUNE_INT8_NEON

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_DEPTHWISE_INL_H_
