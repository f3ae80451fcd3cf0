#include "engine/kernels/panels/pointwise.h"

#include <algorithm>

#include "engine/base/buffer.h"
#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/pointwise_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/pointwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/pointwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

// Channels that a panel's tiles go through before the first one goes on: 64 columns of them fit the
// first-level cache.
constexpr int64_t kDepth = 160;

/// Items [begin, end) of panels x blocks. Sums of more than kDepth channels wait in the output.
void wide_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  const PackedPointwise& weights = call.weights;
  const RowBlocks& blocks = weights.blocks;
  const int64_t width = PanelLayout{weights.channels, call.columns}.width();
  const int64_t step = kSums / blocks.most_units * kLanes;
  for (int64_t item = begin; item < end;) {
    const int64_t panel = item / blocks.count(), first = item % blocks.count();
    const int64_t stop = std::min(blocks.count(), first + end - item);
    item += stop - first;
    const float* input = call.input + panel * weights.channels * width;
    const int64_t out = panel * blocks.rows * width;
    for (int64_t k = 0; k < weights.channels; k += kDepth) {
      const int64_t depth = std::min(kDepth, weights.channels - k);
      const bool last = k + depth == weights.channels;
      const float* residual = k == 0 ? call.residual : call.output;
      for (int64_t block = first; block < stop; ++block) {
        const int64_t row = blocks.first_unit(block);
        const int64_t rows = blocks.first_unit(block + 1) - row;
        for (int64_t column = 0; column < width; column += step) {
          const int64_t columns = std::min(step, width - column);
          const int64_t at = out + row * width + column;
          wide_tile_of(columns / kLanes, rows)({
              .weights = weights.block(block) + k * rows,
              .input = input + k * width + column,
              .channels = depth,
              .width = width,
              .bias = k == 0 ? call.bias + row : nullptr,
              .residual = residual == nullptr ? nullptr : residual + at,
              .relu6 = last && call.activation == Activation::relu6,
              .output = call.output + at,
              .rows = rows,
          });
        }
      }
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
/// Blocks [begin, end) of the one panel that there is.
template <int kColumns>
void narrow_items(const PointwiseCall& call, int64_t begin, int64_t end) {
  const PackedPointwise& weights = call.weights;
  const RowBlocks& blocks = weights.blocks;
  for (int64_t block = begin; block < end; ++block) {
    const int64_t unit = blocks.first_unit(block), units = blocks.first_unit(block + 1) - unit;
    const int64_t row = unit * kLanes, at = row * kColumns;
    kNarrowTiles<kColumns>[static_cast<size_t>(units - 1)]({
        .weights = weights.block(block),
        .input = call.input,
        .channels = weights.channels,
        .width = kColumns,
        .bias = call.bias + row,
        .residual = call.residual == nullptr ? nullptr : call.residual + at,
        .relu6 = call.activation == Activation::relu6,
        .output = call.output + at,
        .rows = blocks.rows - row,
    });
  }
}

#endif

/// Everything but the values.
PackedPointwise plan(int64_t rows, int64_t channels, int64_t columns) {
  const int64_t width = PanelLayout{channels, columns}.width();
  PackedPointwise packed;
  packed.channels = channels;
  packed.narrow_width = width <= 8 ? width : 0;
  packed.blocks = {rows, 1, kSums / std::clamp<int64_t>(width / kLanes, 1, kMostVectors)};
  packed.kernel = wide_items;
#if HWY_TARGET != HWY_SCALAR  // whose vectors are no wider than the narrowest panel
  if (packed.narrow_width != 0) {
    packed.blocks = {rows, kLanes, kSums / width};
    packed.kernel = width == 4 ? narrow_items<4> : narrow_items<8>;
  }
#endif
  return packed;
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
  const RowBlocks& blocks = packed->blocks;
  const auto values =
      allocate_floats(static_cast<size_t>(blocks.units() * blocks.unit_rows * channels));
  float* to = values.get();
  for (int64_t block = 0; block < blocks.count(); ++block) {
    const int64_t first = blocks.first_unit(block) * blocks.unit_rows;
    const int64_t last = blocks.first_unit(block + 1) * blocks.unit_rows;
    for (int64_t k = 0; k < channels; ++k) {
      for (int64_t row = first; row < last; ++row) {
        *to++ = row < rows ? weights[row * channels + k] : 0.0f;
      }
    }
  }
  packed->values = values;
  packed_ = std::move(packed);
}

int64_t PointwiseWeights::rows() const {
  return packed_->blocks.rows;
}
int64_t PointwiseWeights::channels() const {
  return packed_->channels;
}

void pointwise(const PointwiseWeights& weights, int64_t columns, const float* input,
               const float* bias, const float* residual, Activation activation, float* output) {
  constexpr int64_t kGrain = 1 << 17;  // multiply-adds that are worth a thread
  const PackedPointwise& packed = *weights.packed_;
  const PanelLayout panels{packed.channels, columns};
  require(columns > 0 && (panels.width() <= 8 ? panels.width() : 0) == packed.narrow_width,
          "pointwise", "weights packed for panels of {} cannot be used with {} columns",
          packed.narrow_width == 0 ? "16 columns and more"
                                   : fmt::format("{} columns", packed.narrow_width),
          columns);
  const PointwiseCall call{packed, columns, input, bias, residual, activation, output};
  const int64_t items = panels.count() * packed.blocks.count();
  const int64_t multiply_adds = panels.size() * packed.blocks.rows;
  parallel_for(items, std::max<int64_t>(1, kGrain * items / multiply_adds),
               [&](int64_t begin, int64_t end, int) { packed.kernel(call, begin, end); });
}

}  // namespace edgeprune::panels
#endif
