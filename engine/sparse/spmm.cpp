#include "engine/sparse/spmm.h"

#include <algorithm>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/sparse/spmm.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::sparse::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// What all rows of one block of channels have in common.
struct Block {
  const float* input;   ///< the block's first channel
  const float* bias;    ///< null: not the first block
  const float* addend;  ///< the residual; from the second block on, the output. May be null
  float* output;
  int64_t width;
  bool clip;  ///< ReLU6: the last block's part
};

/// Four weights by one load, each then spread over a vector by a shuffle: loads are what limits the
/// product, and one broadcast from memory for every weight would be a fifth of them.
template <class D>
struct FourWeights {
#if HWY_TARGET == HWY_SCALAR
  const float* values;
  HWY_INLINE explicit FourWeights(const float* four) : values(four) {}
  template <int kIndex>
  HWY_INLINE hn::Vec<D> get() const {
    return hn::Set(D(), values[kIndex]);
  }
#else
  hn::Vec<D> values;
  HWY_INLINE explicit FourWeights(const float* four) : values(hn::LoadDup128(D(), four)) {
#if HWY_ARCH_X86 && (HWY_COMPILER_GCC || HWY_COMPILER_CLANG)
    // Or GCC turns load and shuffle of a 16-byte vector back into broadcasts from memory.
    asm("" : "+x"(values.raw));
#endif
  }
  template <int kIndex>
  HWY_INLINE hn::Vec<D> get() const {
    return hn::Broadcast<kIndex>(values);
  }
#endif
};

/// Four offsets by one load. On Zen 5 each load of an integer costs a cycle in which two vectors
/// could have been loaded: one for every weight slows the product by a third.
struct FourOffsets {
  uint64_t packed;
  HWY_INLINE explicit FourOffsets(const uint16_t* four) { memcpy(&packed, four, sizeof(packed)); }
  template <int kIndex>
  HWY_INLINE uint64_t get() const {
    return kIndex == 3 ? packed >> 48 : packed >> (16 * kIndex) & 0xffff;
  }
};

/// Sums of one row: kVectors vectors of columns. One multiply-add alone would wait out the latency
/// of the one before, so consecutive nonzeros go to kChains different sums.
template <class D, int kVectors>
struct Sums {
  #ifndef SPC1
#define SPC1 8
#define SPC2 4
#define SPC4 2
#endif
  static constexpr int kChains = kVectors >= 6 ? 1 : kVectors >= 3 ? SPC4 : kVectors == 2 ? SPC2 : SPC1;
  using V = hn::Vec<D>;
  V sum[kChains][kVectors];

  template <int kChain>
  HWY_INLINE void add_product(V weight, const float* x) {
    const D d;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      V& to = sum[kChain % kChains][v];
      to = hn::MulAdd(weight, hn::LoadU(d, x + v * hn::Lanes(d)), to);
    }
  }

  template <int kChain>
  HWY_INLINE void add_four(const float* x, const float* values, const uint16_t* offsets) {
    const FourWeights<D> w(values);
    const FourOffsets at(offsets);
    add_product<kChain>(w.template get<0>(), x + at.get<0>());
    add_product<kChain + 1>(w.template get<1>(), x + at.get<1>());
    add_product<kChain + 2>(w.template get<2>(), x + at.get<2>());
    add_product<kChain + 3>(w.template get<3>(), x + at.get<3>());
  }
};

template <class D, int kVectors>
HWY_INLINE void multiply_row(const Block& block, int64_t row, int64_t nnz, const float* values,
                             const uint16_t* offsets) {
  using S = Sums<D, kVectors>;
  const D d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t out = row * block.width;
  S s;
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    s.sum[0][v] = hn::Set(d, block.bias == nullptr ? 0.0f : block.bias[row]);
    if (block.addend != nullptr) {
      s.sum[0][v] = hn::Add(s.sum[0][v], hn::LoadU(d, block.addend + out + v * lanes));
    }
#pragma GCC unroll 8
    for (int chain = 1; chain < S::kChains; ++chain) s.sum[chain][v] = hn::Zero(d);
  }
  const float* x = block.input;
  if constexpr (S::kChains > 4) {
    for (; nnz >= 8; nnz -= 8) {
      s.template add_four<0>(x, values, offsets);
      s.template add_four<4>(x, values + 4, offsets + 4);
      values += 8;
      offsets += 8;
    }
  }
  for (; nnz >= 4; nnz -= 4) {
    s.template add_four<0>(x, values, offsets);
    values += 4;
    offsets += 4;
  }
  for (; nnz > 0; --nnz) s.template add_product<0>(hn::Set(d, *values++), x + *offsets++);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    auto sum = s.sum[0][v];
#pragma GCC unroll 8
    for (int chain = 1; chain < S::kChains; ++chain) sum = hn::Add(sum, s.sum[chain][v]);
    if (block.clip) sum = hn::Min(hn::Max(sum, hn::Zero(d)), hn::Set(d, 6.0f));
    hn::StoreU(sum, d, block.output + out + v * lanes);
  }
}

/// Groups [begin, end) of one panel, kVectors vectors of its columns.
template <class D, int kVectors>
void multiply_panel(const SparseWeights& weights, const float* input, const float* bias,
                    const float* residual, Activation activation, float* output, int64_t begin,
                    int64_t end) {
  const int64_t blocks = weights.blocks(), width = weights.width();
  const int64_t first_row = begin * SparseWeights::kGroup;
  const int64_t last_row = std::min(weights.rows(), end * SparseWeights::kGroup);
  for (int64_t b = 0; b < blocks; ++b) {
    const Block block{input + b * weights.block_channels() * width,
                      b == 0 ? bias : nullptr,
                      b == 0 ? residual : output,
                      output,
                      width,
                      b == blocks - 1 && activation == Activation::relu6};
    const int64_t value = weights.first_value(b, begin);
    const float* values = weights.values() + value;
    const uint16_t* offsets = weights.offsets() + value;
    const SparseWeights::Row* rows = weights.block_rows(b);
    for (int64_t i = first_row; i < last_row; ++i) {
      const auto [row, nnz] = rows[i];
      multiply_row<D, kVectors>(block, row, nnz, values, offsets);
      values += nnz;
      offsets += nnz;
    }
  }
}

using PanelFunction = decltype(&multiply_panel<hn::CappedTag<float, 4>, 1>);

/// How to multiply a tile of columns, and how many those are.
struct Tile {
  PanelFunction multiply;
  int64_t columns;
};

template <int64_t kColumns>
Tile tile_of() {
  // Eight vectors and a weight fit sixteen registers.
  using D = hn::CappedTag<float, static_cast<size_t>(kColumns)>;
  constexpr int64_t kLanes = hn::MaxLanes(D());
  constexpr int64_t kVectors = kColumns / kLanes;
  if constexpr (kVectors > 8)
    return tile_of < kColumns % (8 * kLanes) == 0 ? 8 * kLanes : 4 * kLanes > ();
  else
    return {multiply_panel<D, kVectors>, kColumns};
}

Tile widest_tile(int64_t width) {
  switch (width) {
    case 4:
      return tile_of<4>();
    case 8:
      return tile_of<8>();
    case 16:
      return tile_of<16>();
    case 32:
      return tile_of<32>();
    case 48:
      return tile_of<48>();
    default:
      return tile_of<64>();
  }
}

/// Those (panel, group) whose cost begins in [begin, end), of all of them one after another.
void multiply_range(const SparseWeights& weights, const float* input, const float* bias,
                    const float* residual, Activation activation, float* output, int64_t begin,
                    int64_t end) {
  const auto& cost = weights.cost();
  const auto [multiply, tile_columns] = widest_tile(weights.width());
  const auto group_at = [&](int64_t c) {
    return std::lower_bound(cost.begin(), cost.end(), c) - cost.begin();
  };
  for (int64_t panel = begin / cost.back(); panel * cost.back() < end; ++panel) {
    const int64_t before = panel * cost.back();
    const int64_t first = group_at(std::max<int64_t>(0, begin - before));
    const int64_t last = group_at(std::min(cost.back(), end - before));
    if (first >= last) continue;
    const int64_t in = panel * weights.channels() * weights.width();
    const int64_t out = panel * weights.rows() * weights.width();
    for (int64_t column = 0; column < weights.width(); column += tile_columns) {
      multiply(weights, input + in + column, bias,
               residual == nullptr ? nullptr : residual + out + column, activation,
               output + out + column, first, last);
    }
  }
}

}  // namespace edgeprune::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::sparse {

HWY_EXPORT(multiply_range);

void spmm(const SparseWeights& weights, int64_t columns, const float* input, const float* bias,
          const float* residual, Activation activation, float* output) {
  const PanelLayout in{weights.channels(), columns};
  require(in.width() == weights.width(), "spmm",
          "weights prepared for panels of {} columns, got {} columns in panels of {}",
          weights.width(), columns, in.width());
  constexpr int64_t kGrain = 2048;  // nonzeros
  parallel_for(in.count() * weights.cost().back(), kGrain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(multiply_range)
    (weights, input, bias, residual, activation, output, begin, end);
  });
}

void spmm_scalar(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
                 const float* residual, Activation activation, float* output) {
  const PanelLayout in{weights.columns, columns}, out{weights.rows, columns};
  for (int64_t row = 0; row < weights.rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      double sum = bias[row];
      for (int32_t i = weights.row_ptr[row]; i < weights.row_ptr[row + 1]; ++i) {
        sum += double(weights.values[i]) * input[in.offset(weights.col_idx[i], column)];
      }
      const int64_t at = out.offset(row, column);
      if (residual != nullptr) sum += residual[at];
      if (activation == Activation::relu6) sum = std::clamp(sum, 0.0, 6.0);
      output[at] = static_cast<float>(sum);
    }
  }
}

}  // namespace edgeprune::sparse
#endif
