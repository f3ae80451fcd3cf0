#include "engine/kernels/panels/pointwise.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/pointwise_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/pointwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/pointwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Items [begin, end) of panels x blocks. A tile goes through all channels at once: the
/// second-level cache delivers a panel as fast as it is used, and taking the channels in blocks
/// that stay in the first costs more, in sums put aside and in weights out of order, than it saves.
void wide_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  const PackedPointwise& weights = call.weights;
  const RowBlocks& blocks = weights.blocks;
  const PanelLayout in{weights.input.channels, call.columns};
  const int64_t width = in.width(), step = weights.tile_vectors * kLanes;
  const ActivationForm activation = form_of(call.activation);
  int64_t panel = begin / blocks.count, block = begin % blocks.count;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t row = blocks.first_unit(block), rows = blocks.block_units(block);
    const int64_t used = in.used_width(panel);
    for (int64_t column = 0; column < used; column += step) {
      const int64_t at = (panel * blocks.rows + row) * width + column;
      wide_tile_of(std::min(step, used - column) / kLanes, rows)({
          .weights = weights.block(block),
          .input = call.input + panel * in.channels * width + column,
          .channels = in.channels,
          .width = width,
          .bias = call.bias + row,
          .residual = call.residual == nullptr ? nullptr : call.residual + at,
          .activation = activation,
          .output = call.output.at(panel, row) + column,
          .output_row = call.output.channel,
          .rows = rows,
      });
    }
    if (++block == blocks.count) ++panel, block = 0;
  }
}

#if HWY_TARGET != HWY_SCALAR
/// As wide_items(), rows along the vectors: exact in the columns, which wide tiles round up.
template <int kWidth>
void narrow_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  const PackedPointwise& weights = call.weights;
  const RowBlocks& blocks = weights.blocks;
  const PanelLayout in{weights.input.channels, call.columns};
  const int64_t width = kWidth > 0 ? kWidth : in.width();
  HWY_ALIGN float sums[kSumsOfItem];
  for (int64_t item = begin; item < end; ++item) {
    const int64_t panel = item / blocks.count, block = item % blocks.count;
    const int64_t row = blocks.first_unit(block) * kLanes, vectors = blocks.block_units(block);
    const int64_t at = (panel * blocks.rows + row) * width;
    const FinishedRows rows{
        .sums = sums,
        .rows = std::min(blocks.rows - row, vectors * kLanes),
        .columns = std::min(width, call.columns - panel * width),
        .residual = call.residual == nullptr ? nullptr : call.residual + at,
        .residual_row = width,
        .output = call.output.at(panel, row),
        .output_row = kWidth > 0 ? kWidth : call.output.channel,
    };
    run_narrow_tiles<true>({.weights = weights.block(block),
                            .input = call.input + panel * in.channels * width,
                            .channels = in.channels,
                            .width = width,
                            .bias = call.bias + row,
                            .residual = nullptr,
                            .activation = {},
                            .output = sums,
                            .output_row = rows.columns * kLanes,
                            .rows = rows.rows},
                           vectors, rows.columns);
    with_activation(form_of(call.activation), [&](const auto& activate) HWY_ATTR {
      if constexpr (kWidth > 0) {
        finish_narrow_rows<kWidth>(rows, activate);
      } else {
        finish_wide_rows(rows, activate);
      }
    });
  }
}

/// Whether exact columns save more than whole vectors of rows and the sums' way into panels cost.
bool rows_along_vectors_pay(int64_t rows, const PanelLayout& input) {
  constexpr int64_t kTransposing = 16;  // as much as so many channels
  const int64_t whole_rows = (rows + kLanes - 1) / kLanes * kLanes;
  return 11 * whole_rows * input.columns * (input.channels + kTransposing) <
         10 * rows * input.used_columns() * input.channels;
}
#endif

/// Everything but the values.
PackedPointwise plan(int64_t rows, int64_t channels, int64_t columns) {
  const PanelLayout input{channels, columns};
  const int64_t width = input.width();
#if HWY_TARGET != HWY_SCALAR  // whose vectors are no wider than the narrowest panel
  if (width <= 8) {
    const PointwiseKernel kernel = width == 4 ? narrow_items<4> : narrow_items<8>;
    const int64_t vectors = std::min<int64_t>(kNarrowVectors, kSums / columns);
    return {RowBlocks(rows, kLanes, vectors, true), input, 0, kernel};
  }
  if (rows_along_vectors_pay(rows, input)) {
    return {RowBlocks(rows, kLanes, kVectorsOfRows, input.count() == 1), input, 0, narrow_items<0>};
  }
#endif
  const int64_t vectors = std::min<int64_t>(width / kLanes, kMostVectors);
  return {RowBlocks(rows, 1, kSums / vectors, input.count() == 1), input, vectors, wide_items};
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(plan);

PointwiseWeights::PointwiseWeights(const float* weights, int64_t rows, int64_t channels,
                                   int64_t columns) {
  require(rows > 0 && channels > 0 && columns > 0, "pointwise",
          "expected at least one row, channel and column, got {}, {} and {}", rows, channels,
          columns);
  auto packed =
      std::make_shared<PackedPointwise>(HWY_DYNAMIC_DISPATCH(plan)(rows, channels, columns));
  packed->values = pack_rows(packed->blocks, weights, channels, channels);
  packed_ = std::move(packed);
}

int64_t PointwiseWeights::rows() const {
  return packed_->blocks.rows;
}
int64_t PointwiseWeights::channels() const {
  return packed_->input.channels;
}

void pointwise(const PointwiseWeights& weights, int64_t columns, const float* input,
               const float* bias, const float* residual, Activation activation,
               const PanelTarget& output) {
  constexpr int64_t kGrain = 1 << 16;  // multiply-adds that are worth a thread
  const PackedPointwise& packed = *weights.packed_;
  const PanelLayout in{packed.input.channels, columns};
  const auto narrow_width = [](const PanelLayout& panels) {
    return panels.width() <= 8 ? panels.width() : 0;
  };
  require(columns > 0 && narrow_width(in) == narrow_width(packed.input), "pointwise",
          "weights packed for {} columns cannot be used with {}", packed.input.columns, columns);
  const PointwiseCall call{packed, columns, input, bias, residual, activation, output};
  const int64_t blocks = packed.blocks.count, items = in.count() * blocks;
  const int64_t multiply_adds = in.size() * packed.blocks.rows;
  const auto grain = [&](int64_t count) {
    return std::max<int64_t>(1, kGrain * count / multiply_adds);
  };
  // Behind a layer that expands comes a depthwise one, whose threads share the channels: with rows
  // shared likewise, each finds its input in its own core's cache.
  if (packed.blocks.rows > packed.input.channels && thread_count() > 1) {
    parallel_for(blocks, grain(blocks), [&](int64_t begin, int64_t end, int) {
      for (int64_t panel = 0; panel < in.count(); ++panel) {
        packed.kernel(call, panel * blocks + begin, panel * blocks + end);
      }
    });
    return;
  }
  parallel_for(items, grain(items),
               [&](int64_t begin, int64_t end, int) { packed.kernel(call, begin, end); });
}

}  // namespace edgeprune::panels
#endif
