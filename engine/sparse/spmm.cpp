#include "engine/sparse/spmm.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

#ifndef EDGEPRUNE_SPMM_ONCE
#define EDGEPRUNE_SPMM_ONCE
namespace edgeprune::sparse {

/// Those of the channels; the input begins with the first of them.
struct Blocks {
  int64_t begin, end;
};

}  // namespace edgeprune::sparse
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/sparse/spmm.cpp"
#include <hwy/foreach_target.h>

#include "engine/sparse/spmm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::sparse::HWY_NAMESPACE {

/// Groups [begin, end) of rows, kVectors vectors of the columns of kPanels panels each, by these blocks.
template <class D, int kVectors, int kPanels, bool kByFours>
void multiply_groups(const SparseWeights& weights, const float* input, const float* bias,
                     const float* residual, Activation activation, const PanelTarget& to,
                     const Blocks& blocks, int64_t begin, int64_t end) {
  float* const output = to.data;
  const int64_t output_row = to.channel;
  const int64_t first_row = begin * SparseWeights::kGroup;
  const int64_t last_row = std::min(weights.rows(), end * SparseWeights::kGroup);
  for (int64_t b = blocks.begin; b < blocks.end; ++b) {
    const Block block{
        .input = input + (b - blocks.begin) * weights.block_channels() * weights.width(),
        .bias = b == 0 ? bias : nullptr,
        .addend = b == 0 ? residual : output,
        .output = output,
        .addend_row = b == 0 ? weights.width() : output_row,
        .output_row = output_row,
        .input_panel = weights.channels() * weights.width(),
        .addend_panel = b == 0 ? weights.rows() * weights.width() : to.panel,
        .output_panel = to.panel,
        .activation = b == weights.blocks() - 1 ? form_of(activation) : ActivationForm{},
    };
    const float* values = weights.values(b, begin);
    const uint16_t* offsets = weights.offsets(b, begin);
    const SparseWeights::Row* rows = weights.rows_of_block(b);
    for (int64_t i = first_row; i < last_row; ++i) {
      const auto [row, units] = rows[i];
      if constexpr (kByFours) {
        multiply_row_by_fours<D, kVectors>(block, row, units, values, offsets);
      } else {
        multiply_row<D, kVectors, kPanels>(block, row, units, values, offsets);
      }
      values += units * (kByFours ? 4 : 1);
      offsets += units;
    }
  }
}

/// What multiplies a tile of columns, and how many those are.
struct Tile {
  decltype(&multiply_groups<hn::ScalableTag<float>, 1, 1, false>) multiply;
  int64_t columns;
};

/// kColumns, or as many of them as fit the registers: eight vectors and a weight fit sixteen.
template <int64_t kColumns, bool kByFours = false>
Tile tile_of() {
  using D = hn::CappedTag<float, static_cast<size_t>(kColumns)>;
  constexpr int64_t kLanes = hn::MaxLanes(D()), kVectors = kColumns / kLanes;
  if constexpr (kVectors > 8) {
    constexpr int64_t kFitting = (kVectors % 8 == 0 ? 8 : 4) * kLanes;
    return tile_of<kFitting>();
  } else {
    return {multiply_groups<D, kVectors, 1, kByFours>, kColumns};
  }
}

/// For the columns of a panel, or as many of them as are used.
Tile widest_tile(int64_t columns, bool by_fours) {
  switch (columns) {
    case 4:
      return by_fours ? tile_of<4, true>() : tile_of<4>();
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

/// For two whole panels at once, where their sums fit the registers; else of no columns.
Tile tile_of_pair() {
  using D = hn::ScalableTag<float>;
  constexpr int64_t kVectors = PanelLayout::kWidth / hn::MaxLanes(D());
  if constexpr (kVectors <= 4) return {multiply_groups<D, kVectors, 2, false>, PanelLayout::kWidth};
  return {};
}

/// All groups of all panels, one panel after another, are so much work: those that start within
/// [begin, end) of it.
void multiply_share(const SparseWeights& weights, int64_t columns, const float* input,
                    const float* bias, const float* residual, Activation activation,
                    const PanelTarget& output, const Blocks& blocks, int64_t begin, int64_t end) {
  const std::vector<int64_t>& cost = weights.cost();
  const PanelLayout in_panels{weights.channels(), columns};
  const auto group_at = [&](int64_t c) {
    return std::lower_bound(cost.begin(), cost.end(), c) - cost.begin();
  };
  const int64_t panels = (end + cost.back() - 1) / cost.back();
  for (int64_t panel = begin / cost.back(); panel < panels; ++panel) {
    const int64_t before = panel * cost.back();
    const int64_t first = group_at(std::max<int64_t>(0, begin - before));
    const int64_t last = group_at(std::min(cost.back(), end - before));
    if (first == last) continue;
    const int64_t in = panel * weights.channels() * weights.width();
    const int64_t out = panel * weights.rows() * weights.width();
    const int64_t used = in_panels.used_width(panel);
    const auto multiply = [&](const Tile& tile, int64_t column) {
      tile.multiply(weights, input + in + column, bias,
                    residual == nullptr ? nullptr : residual + out + column, activation,
                    {output.at(panel, 0) + column, output.panel, output.channel}, blocks, first,
                    last);
    };
    if (const Tile pair = tile_of_pair(); weights.two_panels_fit() && pair.columns == used &&
                                          first == 0 && before + 2 * cost.back() <= end &&
                                          in_panels.used_width(panel + 1) == used) {
      multiply(pair, 0);
      ++panel;
      continue;
    }
    const Tile tile = widest_tile(used, weights.by_fours());
    for (int64_t column = 0; column < used; column += tile.columns) multiply(tile, column);
  }
}

}  // namespace edgeprune::sparse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::sparse {

HWY_EXPORT(multiply_share);

namespace {

void share_out(const SparseWeights& weights, int64_t columns, const float* input, const float* bias,
               const float* residual, Activation activation, const PanelTarget& output,
               const Blocks& blocks) {
  const int64_t panels = (columns + weights.width() - 1) / weights.width();
  const int64_t grain = weights.width() > 16 ? 1024 : 2048;  // nonzeros: half a microsecond
  parallel_for(panels * weights.cost().back(), grain, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(multiply_share)
    (weights, columns, input, bias, residual, activation, output, blocks, begin, end);
  });
}

}  // namespace

void spmm(const SparseWeights& weights, int64_t columns, const float* input, const float* bias,
          const float* residual, Activation activation, const PanelTarget& output) {
  const PanelLayout in{weights.channels(), columns};
  require(in.width() == weights.width(), "spmm",
          "weights prepared for panels of {} columns, got {} columns in panels of {}",
          weights.width(), columns, in.width());
  share_out(weights, columns, input, bias, residual, activation, output, {0, weights.blocks()});
}

void spmm_block(const SparseWeights& weights, int64_t block, int64_t columns, const float* input,
                const float* bias, float* output) {
  if (weights.width() > 16) columns = (columns + 15) / 16 * 16;  // as in a row of panels
  share_out(weights, columns, input, bias, nullptr, Activation::none, {output, 0, weights.width()},
            {block, block + 1});
}

}  // namespace edgeprune::sparse
#endif
