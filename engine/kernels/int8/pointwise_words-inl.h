// The products of pointwise.cpp without VNNI: sums of words (word_sums.h).

#if defined(EDGEPRUNE_INT8_POINTWISE_WORDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_INT8_POINTWISE_WORDS_INL_H_
#undef EDGEPRUNE_INT8_POINTWISE_WORDS_INL_H_
#else
#define EDGEPRUNE_INT8_POINTWISE_WORDS_INL_H_
#endif

#include <cstring>

#include "engine/kernels/int8/lanes-inl.h"
#include "engine/kernels/int8/pointwise_packing.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::int8::HWY_NAMESPACE {

#if EDGEPRUNE_INT8_VECTORS

/// Where fours of a pixel's channels are: behind one another, or in pieces (Pixels).
template <bool kOnePiece>
struct Fours {
  HWY_INLINE Fours(const Pixels& input, int64_t quads) {
    if constexpr (!kOnePiece) {
      const auto piece = static_cast<uint64_t>(quads / input.pieces);
      // Rounded up, so that the product's upper bits are four / piece for all fours that there can be.
      inverse = ((uint64_t{1} << kShift) + piece - 1) / piece;
      jump = input.piece_bytes - 4 * (quads / input.pieces);
    }
  }
  HWY_INLINE int64_t offset(int32_t four) const {
    if constexpr (kOnePiece) return 4 * int64_t{four};
    return 4 * int64_t{four} +
           static_cast<int64_t>(static_cast<uint64_t>(four) * inverse >> kShift) * jump;
  }
  static constexpr int kShift = 40;
  uint64_t inverse = 0;
  int64_t jump = 0;
};

/// Compilers would load weights once for each pixel, and take all of a group's products before they add them
/// up, for which there are not registers enough.
HWY_INLINE Ints in_register(Ints x) {
#if HWY_MAX_BYTES >= 64
  asm("" : "+v"(x));
#else
  asm("" : "+x"(x));
#endif
  return x;
}

/// A vector of weights of a four of channels.
template <bool kSigns>
struct Weights;

template <>
struct Weights<false> {
  static constexpr int kBytes = 4 * kLanes;
  explicit HWY_INLINE Weights(const int8_t* w) : weights(in_register(load(w))) {}
  HWY_INLINE Ints times(Ints x) const { return multiply_bytes(x, weights); }
  Ints weights;
};

template <>
struct Weights<true> {
  static constexpr int kBytes = 8 * kLanes;
  explicit HWY_INLINE Weights(const int8_t* w)
      : sizes(in_register(load(w))), flips(in_register(load(w + 4 * kLanes))) {}
  HWY_INLINE Ints times(Ints x) const { return multiply_bytes(sizes, exclusive_or(x, flips)); }
  Ints sizes, flips;
};

/// A four of channels of some pixels.
template <int kPixels>
struct Inputs {
  HWY_INLINE void read(const uint8_t* at, int64_t stride) {
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) {
      int32_t bytes;
      std::memcpy(&bytes, at + p * stride, sizeof bytes);
      pixels[p] = broadcast(bytes);
    }
  }
  Ints pixels[kPixels];
};

/// Words of all pixels of a vector of rows: where they start from, or nothing yet.
template <bool kSigns, int kPixels>
HWY_INLINE void start(const int8_t* w, Ints (&words)[kPixels]) {
  if constexpr (kSigns) return;
  const Ints from = in_register(load(w));
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) words[p] = from;
}
template <bool kSigns, int kPixels>
HWY_INLINE void add_product(bool first, const Weights<kSigns>& w, const Inputs<kPixels>& x,
                            Ints (&words)[kPixels]) {
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) {
    const Ints product = w.times(x.pixels[p]);
    words[p] = in_register(kSigns && first ? product : wrap_words(words[p], product));
  }
}
HWY_INLINE Ints widened(Ints words) {
  return multiply_words(words, broadcast_word(1));
}

/// What adds groups of fours to sums, [kVectors][kPixels].
template <bool kSigns, bool kOnePiece, int kPixels, int kVectors>
struct GroupAdder {
  using W = Weights<kSigns>;
  static constexpr int kStarts = kSigns ? 0 : 4 * kLanes;

  /// A group behind another; sums and inputs stay in registers, and one vector of rows' words beside them.
  template <int kSize>
  HWY_INLINE void with_sums_in_registers(int32_t count) {
    Ints own[kVectors][kPixels];
    if (count == 0) return;
#pragma GCC unroll 48
    for (int i = 0; i < kVectors * kPixels; ++i) {
      own[i / kPixels][i % kPixels] = sums[i / kPixels][i % kPixels];
    }
    for (; count > 0; --count) {
      Inputs<kPixels> x[kSize];
#pragma GCC unroll 2
      for (int i = 0; i < kSize; ++i) x[i].read(in + fours.offset(four[i]), stride);
      const int8_t* const weights = w + kVectors * kStarts;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Ints words[kPixels];
        start<kSigns>(w + v * kStarts, words);
#pragma GCC unroll 2
        for (int i = 0; i < kSize; ++i) {
          add_product<kSigns>(i == 0, W(weights + (i * kVectors + v) * W::kBytes), x[i], words);
        }
#pragma GCC unroll 12
        for (int p = 0; p < kPixels; ++p) own[v][p] = add(own[v][p], widened(words[p]));
      }
      four += kSize, w = weights + kSize * kVectors * W::kBytes;
    }
#pragma GCC unroll 48
    for (int i = 0; i < kVectors * kPixels; ++i) {
      sums[i / kPixels][i % kPixels] = own[i / kPixels][i % kPixels];
    }
  }

  /// All words stay in registers, and sums in memory.
  template <int kSize>
  HWY_INLINE void with_words_in_registers(int32_t count) {
    for (; count > 0; --count) {
      Ints words[kVectors][kPixels];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v, w += kStarts) start<kSigns>(w, words[v]);
#pragma GCC unroll 4
      for (int i = 0; i < kSize; ++i) {
        Inputs<kPixels> x;
        x.read(in + fours.offset(four[i]), stride);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v, w += W::kBytes) {
          add_product<kSigns>(i == 0, W(w), x, words[v]);
        }
      }
#pragma GCC unroll 48
      for (int i = 0; i < kVectors * kPixels; ++i) {
        Ints& sum = sums[i / kPixels][i % kPixels];
        asm("" : "+m"(sum));
        sum = add(sum, widened(words[i / kPixels][i % kPixels]));
        asm("" : "+m"(sum));
      }
      four += kSize;
    }
  }

  template <int kSize>
  HWY_INLINE void run(int32_t count) {
    if constexpr (kSize <= 2) {
      with_sums_in_registers<kSize>(count);
    } else {
      with_words_in_registers<kSize>(count);
    }
  }

  Fours<kOnePiece> fours;
  const int32_t* four;
  const int8_t* w;
  const uint8_t* in;
  int64_t stride;
  Ints (&sums)[kVectors][kPixels];
};

/// sums += the products of a block of rows.
template <bool kSigns, bool kOnePiece, int kPixels, int kVectors>
HWY_INLINE void add_words(const PointwiseCall& call, const WordSums::Counts& groups,
                          const int32_t* four, const int8_t* w, const uint8_t* in,
                          Ints (&sums)[kVectors][kPixels]) {
  GroupAdder<kSigns, kOnePiece, kPixels, kVectors> adder{
      Fours<kOnePiece>(call.input, call.weights.quads()), four, w, in, call.input.pixel, sums};
  if constexpr (!kSigns) adder.template run<WordSums::kSizes[0]>(groups[0]);
  adder.template run<WordSums::kSizes[1]>(groups[1]);
  adder.template run<WordSums::kSizes[2]>(groups[2]);
}

#endif  // EDGEPRUNE_INT8_VECTORS

}  // namespace edgeprune::int8::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // EDGEPRUNE_INT8_POINTWISE_WORDS_INL_H_
