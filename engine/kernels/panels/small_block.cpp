#include "engine/kernels/panels/small_block.h"

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/small_block_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/small_block.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/depthwise_transposed-inl.h"
#include "engine/kernels/panels/pointwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

bool small_block_pays(const Conv2dShape&, int64_t, int64_t) {
  return false;
}
SmallBlock::Packed plan_small_block(const SmallBlockLayers&) {
  throw std::logic_error("[SmallBlock] there is none without vectors");
}

#else

/// Vectors of the wide map's channels that are made and convolved at a time, in the second-level
/// cache.
int64_t vectors_at_a_time(const Conv2dShape& s) {
  constexpr int64_t kFloats = 1 << 17;
  const int64_t vector = s.in_height * s.in_width * kLanes;
  return std::clamp<int64_t>(kFloats / vector, 1, kVectorsOfRows);
}

/// Whether a 1x1 layer computes no more than a third in vain with rows along the vectors, compared to
/// columns: the depthwise layer makes up for that much.
bool rows_suit(int64_t rows, const PanelLayout& map) {
  const int64_t whole_rows = (rows + kLanes - 1) / kLanes * kLanes;
  return 3 * whole_rows * map.columns <= 4 * rows * map.used_columns();
}

bool small_block_pays(const Conv2dShape& s, int64_t in_channels, int64_t out_channels) {
  constexpr int64_t kFloats = 1 << 18;  // a megabyte
  const PanelLayout in{in_channels, s.in_height * s.in_width};
  const PanelLayout out{out_channels, s.out_height() * s.out_width()};
  const int64_t floats = vectors_at_a_time(s) * kLanes * in.columns + s.out_channels * out.columns;
  return s.batch == 1 && out.width() > 8 && in.width() > 8 && floats <= kFloats &&
         !depthwise_in_whole_vectors(s) && rows_suit(s.in_channels, in) &&
         rows_suit(out_channels, out);
}

/// Block of rows `index` of the wide map, [vectors of channels][pixels][kLanes].
void small_block_widen(const SmallBlockCall& call, int64_t index, float* wide) {
  const SmallBlock::Packed& b = call.block;
  const int64_t unit = b.widen.first_unit(index), row = unit * kLanes;
  const int64_t width = b.input.width();
  for (int64_t panel = 0; panel < b.input.count(); ++panel) {
    run_narrow_tiles<true>({.weights = b.widen_values.get() + row * b.input.channels,
                            .input = call.input + panel * b.input.channels * width,
                            .channels = b.input.channels,
                            .width = width,
                            .bias = b.widen_bias.data() + row,
                            .residual = nullptr,
                            .activation = form_of(b.widen_activation),
                            .output = wide + panel * width * kLanes,
                            .output_row = b.wide_vector(),
                            .rows = b.widen.rows - row},
                           b.widen.block_units(index),
                           std::min(width, b.input.columns - panel * width));
  }
}

/// The channels of that block of rows through the depthwise layer.
void small_block_convolve(const SmallBlockCall& call, int64_t index, float* wide) {
  const SmallBlock::Packed& b = call.block;
  const Conv2dShape s = b.depthwise;
  const int64_t first = b.widen.first_unit(index), units = b.widen.block_units(index);
  float* zeros = wide + units * b.wide_vector();
  std::fill_n(zeros, s.in_width * kLanes, 0.0f);
  with_activation(form_of(b.depthwise_activation), [&](const auto& activate) HWY_ATTR {
    for (int64_t v = 0; v < units; ++v) {
      const float* from = wide + v * b.wide_vector();
      const float* taps = b.taps.data() + (first + v) * 10 * kLanes;
      float* to = call.convolved + (first + v) * b.convolved_vector();
      if (s.stride == 1) {
        convolve_vector<1>(s, from, zeros, taps, taps + 9 * kLanes, activate, to);
      } else {
        convolve_vector<2>(s, from, zeros, taps, taps + 9 * kLanes, activate, to);
      }
    }
  });
}

/// Item `index` of panels x blocks of rows of the output.
void small_block_narrow(const SmallBlockCall& call, int64_t index) {
  const SmallBlock::Packed& b = call.block;
  const int64_t panel = index / b.narrow.count, block = index % b.narrow.count;
  const int64_t row = b.narrow.first_unit(block) * kLanes, units = b.narrow.block_units(block);
  const int64_t width = b.output.width(), at = (panel * b.output.channels + row) * width;
  HWY_ALIGN float sums[kSumsOfItem];
  const FinishedRows rows{
      .sums = sums,
      .rows = std::min(b.narrow.rows - row, units * kLanes),
      .columns = std::min(width, b.output.columns - panel * width),
      .residual = call.residual == nullptr ? nullptr : call.residual + at,
      .residual_row = width,
      .output = call.output + at,
      .output_row = width,
  };
  run_narrow_tiles<false>({.weights = b.narrow_values.get() + row * b.channels(),
                           .input = call.convolved + panel * width * kLanes,
                           .channels = b.channels(),
                           .width = b.convolved_vector(),
                           .bias = b.narrow_bias.data() + row,
                           .residual = nullptr,
                           .activation = {},
                           .output = sums,
                           .output_row = rows.columns * kLanes,
                           .rows = rows.rows},
                          units, rows.columns);
  with_activation(form_of(b.narrow_activation),
                  [&](const auto& activate) HWY_ATTR { finish_wide_rows(rows, activate); });
}

SmallBlock::Packed plan_small_block(const SmallBlockLayers& l) {
  const Conv2dShape& s = l.depthwise;
  return {.depthwise = s,
          .input = {l.in_channels, s.in_height * s.in_width},
          .output = {l.out_channels, s.out_height() * s.out_width()},
          .widen = RowBlocks(s.in_channels, kLanes, vectors_at_a_time(s), true),
          .narrow = RowBlocks(l.out_channels, kLanes, kVectorsOfRows, true),
          .lanes = kLanes,
          .run_widen = small_block_widen,
          .run_depthwise = small_block_convolve,
          .run_narrow = small_block_narrow};
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(small_block_pays);
HWY_EXPORT(plan_small_block);

bool SmallBlock::pays(const Conv2dShape& depthwise, int64_t in_channels, int64_t out_channels) {
  return HWY_DYNAMIC_DISPATCH(small_block_pays)(depthwise, in_channels, out_channels);
}

SmallBlock::SmallBlock(const SmallBlockLayers& l) {
  auto packed = std::make_shared<Packed>(HWY_DYNAMIC_DISPATCH(plan_small_block)(l));
  const int64_t channels = l.depthwise.in_channels, lanes = packed->lanes;
  packed->widen_values = pack_rows(packed->widen, l.widen, l.in_channels, l.in_channels);
  packed->narrow_values = pack_rows(packed->narrow, l.narrow, channels, packed->channels());
  packed->widen_bias.assign(l.widen_bias, l.widen_bias + channels);
  packed->narrow_bias.assign(l.narrow_bias, l.narrow_bias + l.out_channels);
  for (int64_t i = 0; i < packed->widen.count; ++i) {
    packed->thread_scratch =
        std::max(packed->thread_scratch, packed->widen.block_units(i) * packed->wide_vector());
  }
  packed->thread_scratch += l.depthwise.in_width * lanes;
  packed->taps.assign(static_cast<size_t>(packed->channels() * 10), 0.0f);
  for (int64_t c = 0; c < channels; ++c) {
    float* to = packed->taps.data() + c / lanes * 10 * lanes + c % lanes;
    for (int64_t k = 0; k < 9; ++k) to[k * lanes] = l.taps[k * channels + c];
    to[9 * lanes] = l.taps_bias[c];
  }
  packed->widen_activation = l.widen_activation;
  packed->depthwise_activation = l.depthwise_activation;
  packed->narrow_activation = l.narrow_activation;
  packed_ = std::move(packed);
}

int64_t SmallBlock::scratch_size(int threads) const {
  return packed_->widen.units * packed_->convolved_vector() + threads * packed_->thread_scratch;
}

void SmallBlock::run(const float* input, const float* residual, float* output, float* scratch,
                     double* seconds) const {
  const Packed& b = *packed_;
  const SmallBlockCall call{b, input, residual, output, scratch};
  float* threads = scratch + b.widen.units * b.convolved_vector();
  // Blocks and items that are worth a thread.
  const auto grain = [](int64_t multiply_adds, int64_t count) {
    constexpr int64_t kGrain = 1 << 16;
    return std::max<int64_t>(1, kGrain * count / multiply_adds);
  };
  const int64_t channels = b.channels(), items = b.output.count() * b.narrow.count;
  std::mutex mutex;
  // A clock reading costs as much as a small block.
  const auto timed = [&](int layer, const auto& body) {
    if (seconds == nullptr) return body();
    const Stopwatch watch;
    body();
    const double share = watch.seconds() / thread_count();
    const std::lock_guard lock(mutex);
    seconds[layer] += share;
  };
  const int64_t widened = channels * (b.input.channels * b.in_columns() + 9 * b.out_columns());
  parallel_for(b.widen.count, grain(widened, b.widen.count),
               [&](int64_t begin, int64_t end, int part) {
                 float* wide = threads + part * b.thread_scratch;
                 for (int64_t i = begin; i < end; ++i) {
                   timed(0, [&] { b.run_widen(call, i, wide); });
                   timed(1, [&] { b.run_depthwise(call, i, wide); });
                 }
               });
  const int64_t narrowed = channels * b.output.channels * b.out_columns();
  parallel_for(items, grain(narrowed, items), [&](int64_t begin, int64_t end, int) {
    timed(2, [&] {
      for (int64_t i = begin; i < end; ++i) b.run_narrow(call, i);
    });
  });
}

}  // namespace edgeprune::panels
#endif
