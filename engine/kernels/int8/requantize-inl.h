// Vectors of sums as bytes (engine/kernels/quantization.h says how), and bytes as numbers.

#if defined(EDGEPRUNE_INT8_REQUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_REQUANTIZE_INL_H_
#undef EDGEPRUNE_INT8_REQUANTIZE_INL_H_
#else
#define EDGEPRUNE_INT8_REQUANTIZE_INL_H_
#endif

#include "engine/kernels/int8/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS || EDGEPRUNE_INT8_NEON

/// What turns sums into bytes.
struct Requantizer {
  explicit HWY_INLINE Requantizer(const Ending& output)
      : zero_point(broadcast_word(output.grid.zero_point)),
        lowest(broadcast_byte(output.grid.lowest)),
        highest(broadcast_byte(output.grid.highest)),
        gate(output.gate),
        times_value(output.times_value),
        slope(broadcast_float(output.slope)),
        offset(broadcast_float(output.offset)),
        low(broadcast_float(output.low)),
        high(broadcast_float(output.high)) {}

  /// Ending::activated().
  HWY_INLINE Floats activated(Floats y) const {
    if (!gate) return y;
    const Floats moved = add_floats(multiply(y, slope), offset);
    const Floats inside = min_floats(max_floats(moved, low), high);
    return times_value ? multiply(y, inside) : inside;
  }
  /// kMayGate: false where it is known that there is no gate, whose numbers then take no registers.
  template <bool kMayGate = true>
  HWY_INLINE Ints rounded(Floats y) const {
    return to_nearest(kMayGate ? activated(y) : y);
  }

  /// Words in; four vectors of them would be two of bytes.
  HWY_INLINE Ints bytes(Ints a, Ints b) const {
    const Ints packed = pack_bytes(add_words(a, zero_point), add_words(b, zero_point));
    return max_bytes(min_bytes(packed, highest), lowest);
  }

  Ints zero_point, lowest, highest;
  bool gate, times_value;
  Floats slope, offset, low, high;
};

/// Values before they are rounded, kVectors of them, to kVectors * kLanes bytes.
template <int kVectors>
HWY_INLINE void store_bytes(const Requantizer& to_bytes, const Floats (&y)[kVectors], uint8_t* to) {
  if constexpr (kVectors == 4) {
    const Ints bytes = to_bytes.bytes(pack_words(to_bytes.rounded(y[0]), to_bytes.rounded(y[1])),
                                      pack_words(to_bytes.rounded(y[2]), to_bytes.rounded(y[3])));
    store_pieces(bytes, to, kPieces);
  } else if constexpr (kVectors == 2) {
#if HWY_MAX_BYTES >= 32
    const Ints words = pack_words(to_bytes.rounded(y[0]), to_bytes.rounded(y[1]));
    store_half(to_bytes.bytes(words, words), to);
#endif
  } else {
#if HWY_MAX_BYTES >= 64
    const Ints ints = to_bytes.rounded(y[0]), words = pack_words(ints, ints);
    store_quarter(to_bytes.bytes(words, words), to);
#endif
  }
}

/// The reverse: bytes as numbers, in the order of sums.
template <int kVectors>
HWY_INLINE void load_bytes(const uint8_t* from, Ints (&x)[kVectors]) {
  const Ints zero = broadcast(0);
  if constexpr (kVectors == 4) {
    const Ints bytes = load(from);
    const Ints low = low_bytes(bytes, zero), high = high_bytes(bytes, zero);
    x[0] = low_words(low, zero), x[1] = high_words(low, zero);
    x[2] = low_words(high, zero), x[3] = high_words(high, zero);
  } else if constexpr (kVectors == 2) {
#if HWY_MAX_BYTES >= 32
    const Ints words = load_as_words(from);
    x[0] = low_words(words, zero), x[1] = high_words(words, zero);
#endif
  } else {
#if HWY_MAX_BYTES >= 64
    x[0] = load_as_ints(from);
#endif
  }
}

#endif

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_REQUANTIZE_INL_H_
