// One row of sparse weights times the columns of a panel; included once per instruction set by
// Highway's foreach_target.h.
//
// Loads are what limits it: Zen 5 has two multiply-adds and two loads of a vector a cycle, and
// every multiply-add wants its activations loaded. So weights and offsets come four a load. One
// broadcast and one offset loaded for each weight run at 0.6 of the multiply-add peak with 64
// columns, this at 0.75 to 0.8; sharing the loads of activations between rows could add little.
#if defined(EDGEPRUNE_SPMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_SPMM_INL_H_
#undef EDGEPRUNE_SPMM_INL_H_
#else
#define EDGEPRUNE_SPMM_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstring>
#include <type_traits>

#include "engine/kernels/simd/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// What the rows of one block of channels have in common.
struct Block {
  const float* input;   ///< the block's first channel
  const float* bias;    ///< null: not the first block
  const float* addend;  ///< the residual or null; from the second block on the output
  float* output;
  int64_t addend_row, output_row;                   ///< floats from one row to the next
  int64_t input_panel, addend_panel, output_panel;  ///< floats from one panel to the next
  ActivationForm activation;                        ///< of the last block
};

/// Four weights by one load, each then spread over a vector by a shuffle.
template <class D>
class FourWeights {
 public:
#if HWY_TARGET == HWY_SCALAR
  HWY_INLINE explicit FourWeights(const float* four) : values_(four) {}
  template <int kIndex>
  HWY_INLINE hn::Vec<D> get() const {
    return hn::Set(D(), values_[kIndex]);
  }

 private:
  const float* values_;
#else
  HWY_INLINE explicit FourWeights(const float* four) : values_(hn::LoadDup128(D(), four)) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128  // whose vectors are arrays
    // Without it GCC turns the load of 16 bytes and its shuffles back into four broadcasts from
    // memory, which costs a quarter of the speed with four columns.
    asm("" : "+x"(values_.raw));
#endif
  }
  template <int kIndex>
  HWY_INLINE hn::Vec<D> get() const {
    return hn::Broadcast<kIndex>(values_);
  }

 private:
  hn::Vec<D> values_;
#endif
};

/// Four offsets by one load. Beside loads of whole vectors, Zen 5 charges a cycle for each load of
/// an integer.
class FourOffsets {
 public:
  HWY_INLINE explicit FourOffsets(const uint16_t* four) {
    static_assert(std::endian::native == std::endian::little);
    memcpy(&packed_, four, sizeof(packed_));
  }
  template <int kIndex>
  HWY_INLINE uint64_t get() const {
    return kIndex == 3 ? packed_ >> 48 : packed_ >> (16 * kIndex) & 0xffff;
  }

 private:
  uint64_t packed_;
};

/// A row's sums: kVectors vectors of columns of each of kPanels panels, kChains times. One
/// multiply-add alone would wait out the latency of the one before, so consecutive nonzeros go to
/// different chains; eight sums a panel are under way. (Sixteen gain nothing.) The order of a sum
/// is the same however many panels are taken at once.
template <class D, int kVectors, int kPanels = 1>
struct Sums {
  static constexpr int kChains = 8 / kVectors;
  hn::Vec<D> sum[kChains][kPanels * kVectors];

  HWY_INLINE Sums() {
#pragma GCC unroll 8
    for (auto& chain : sum) {
#pragma GCC unroll 8
      for (auto& part : chain) part = hn::Zero(D());
    }
  }

  template <int kChain>
  HWY_INLINE void add_product(hn::Vec<D> weight, const float* x, int64_t panel) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors * kPanels; ++v) {
      auto& to = sum[kChain % kChains][v];
      const float* from = x + v / kVectors * panel + v % kVectors * hn::Lanes(D());
      to = hn::MulAdd(weight, hn::LoadU(D(), from), to);
    }
  }

  template <int kChain>
  HWY_INLINE void add_four(const float* x, int64_t panel, const float* values,
                           const uint16_t* offsets) {
    const FourWeights<D> w(values);
    const FourOffsets at(offsets);
    add_product<kChain>(w.template get<0>(), x + at.get<0>(), panel);
    add_product<kChain + 1>(w.template get<1>(), x + at.get<1>(), panel);
    add_product<kChain + 2>(w.template get<2>(), x + at.get<2>(), panel);
    add_product<kChain + 3>(w.template get<3>(), x + at.get<3>(), panel);
  }

  HWY_INLINE hn::Vec<D> total(int v) const {
    auto all = sum[0][v];
#pragma GCC unroll 8
    for (int chain = 1; chain < kChains; ++chain) all = hn::Add(all, sum[chain][v]);
    return all;
  }
};

/// The vector at `column` of bias and addend of a row.
template <class D>
HWY_INLINE hn::Vec<D> start(const Block& block, int64_t row, int64_t panel, int64_t column) {
  const D d;
  const auto bias = hn::Set(d, block.bias == nullptr ? 0.0f : block.bias[row]);
  if (block.addend == nullptr) return bias;
  return hn::Add(bias, hn::LoadU(d, block.addend + panel * block.addend_panel +
                                        row * block.addend_row + column));
}

template <class D>
HWY_INLINE void finish(const Block& block, hn::Vec<D> sum, int64_t at) {
  simd::HWY_NAMESPACE::with_activation<D>(block.activation, [&](const auto& activate) HWY_ATTR {
    hn::StoreU(activate(sum), D(), block.output + at);
  });
}

template <class D, int kVectors, int kPanels>
HWY_INLINE void multiply_row(const Block& block, int64_t row, int64_t nnz, const float* values,
                             const uint16_t* offsets) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D()));
  const int64_t out = row * block.output_row;
  const float* x = block.input;
  Sums<D, kVectors, kPanels> sums;
  const int64_t panel = block.input_panel;
#pragma GCC unroll 8
  for (int v = 0; v < kVectors * kPanels; ++v) {
    sums.sum[0][v] = start<D>(block, row, v / kVectors, v % kVectors * lanes);
  }
  if constexpr (sums.kChains == 8) {
    for (; nnz >= 8; nnz -= 8, values += 8, offsets += 8) {
      sums.template add_four<0>(x, panel, values, offsets);
      sums.template add_four<4>(x, panel, values + 4, offsets + 4);
    }
  }
  for (; nnz >= 4; nnz -= 4, values += 4, offsets += 4) {
    sums.template add_four<0>(x, panel, values, offsets);
  }
  for (; nnz > 0; --nnz) {
    sums.template add_product<0>(hn::Set(D(), *values++), x + *offsets++, panel);
  }
  simd::HWY_NAMESPACE::with_activation<D>(block.activation, [&](const auto& activate) HWY_ATTR {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors * kPanels; ++v) {
      float* to = block.output + v / kVectors * block.output_panel + out + v % kVectors * lanes;
      hn::StoreU(activate(sums.total(v)), D(), to);
    }
  });
}

/// The same for a panel of four columns and units of four channels, a multiple of four of them.
template <class D, int kVectors>
HWY_INLINE void multiply_row_by_fours(const Block& block, int64_t row, int64_t units,
                                      const float* values, const uint16_t* offsets) {
  const int64_t out = row * block.output_row;
  const float* x = block.input;
#if HWY_CAP_GE512
  // Lane 4 * c + column of a vector belongs to channel c.
  using D16 = hn::CappedTag<float, 16>;
  const D16 d;
  const auto to_lanes = [d](int32_t first) HWY_ATTR {
    return hn::IndicesFromVec(d,
                              hn::Add(hn::Set(hn::RebindToSigned<D16>(), first),
                                      hn::ShiftRight<2>(hn::Iota(hn::RebindToSigned<D16>(), 0))));
  };
  const auto unit0 = to_lanes(0), unit1 = to_lanes(4), unit2 = to_lanes(8), unit3 = to_lanes(12);
  Sums<D16, 1> sums;
  const auto add_four_units = [&](auto chain) HWY_ATTR {
    const auto w = hn::Load(d, values);
    const FourOffsets at(offsets);
    sums.template add_product<chain>(hn::TableLookupLanes(w, unit0), x + at.get<0>(), 0);
    sums.template add_product<chain + 1>(hn::TableLookupLanes(w, unit1), x + at.get<1>(), 0);
    sums.template add_product<chain + 2>(hn::TableLookupLanes(w, unit2), x + at.get<2>(), 0);
    sums.template add_product<chain + 3>(hn::TableLookupLanes(w, unit3), x + at.get<3>(), 0);
    values += 16;
    offsets += 4;
  };
  for (; units >= 8; units -= 8) {
    add_four_units(std::integral_constant<int, 0>());
    add_four_units(std::integral_constant<int, 4>());
  }
  if (units > 0) add_four_units(std::integral_constant<int, 0>());
  const hn::Half<D16> d8;
  const D d4;
  const auto all = sums.total(0);
  const auto eight = hn::Add(hn::LowerHalf(d8, all), hn::UpperHalf(d8, all));
  const auto four = hn::Add(hn::LowerHalf(d4, eight), hn::UpperHalf(d4, eight));
  finish<D>(block, hn::Add(four, start<D>(block, row, 0, 0)), out);
#else
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(D()));
  Sums<D, kVectors> sums;
  for (; units > 0; --units, values += 4, ++offsets) {
    constexpr uint16_t kNext[] = {0, 4, 8, 12};
    sums.template add_four<0>(x + *offsets, 0, values, kNext);
  }
  for (int v = 0; v < kVectors; ++v) {
    finish<D>(block, hn::Add(sums.total(v), start<D>(block, row, 0, v * lanes)), out + v * lanes);
  }
#endif
}

}  // namespace edgeprune::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
