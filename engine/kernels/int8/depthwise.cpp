#include "engine/kernels/int8/depthwise.h"

#include <algorithm>
#include <cstring>

#include "engine/base/parallel.h"
#include "engine/kernels/int8/depthwise_packing.h"
#include "engine/kernels/int8/pointwise_packing.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/int8/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/int8/depthwise-inl.h"

#if HWY_ONCE
namespace edgeprune::int8 {
namespace {

HWY_EXPORT(depthwise_kernel);
HWY_EXPORT(any_depthwise);
HWY_EXPORT(depthwise_lanes);

/// The four bytes of a channel that meet four rows of the map, from `top` on below the first one that output row 0
/// reads: a column of taps for an output row whose window begins at `row`, zeros above or below.
void pack_column(const int8_t* filter, int64_t taps, int column, int64_t top, int64_t row,
                 int8_t* to) {
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t tap = top + i - row;
    to[i] = tap >= 0 && tap < taps ? filter[taps * tap + column] : int8_t{0};
  }
}

/// Calls with (column, top, row) of each four bytes, in the order of the kernel.
template <typename Visit>
void for_each_four(const Conv2dShape& s, const DepthwiseWindow& window, const Visit& visit) {
  for (int column = 0; column < s.kernel; ++column) {
    for (int64_t quad = 0; quad < window.quads; ++quad) {
      for (int64_t row = 0; row < window.rows; ++row) visit(column, 4 * quad, row * s.stride);
    }
  }
}

/// The most that one pmaddubsw's pair of products can be.
int64_t largest_depthwise_pair(const RowNumbers& numbers, const Conv2dShape& s,
                               const DepthwiseWindow& window, int highest) {
  int64_t largest = 0;
  for (int64_t c = 0; c < s.in_channels; ++c) {
    const int8_t* const filter = numbers.weights + s.kernel * s.kernel * c;
    for_each_four(s, window, [&](int column, int64_t top, int64_t row) {
      int8_t taps[4];
      pack_column(filter, s.kernel, column, top, row, taps);
      for (const int i : {0, 2}) largest = std::max(largest, largest_sum(taps + i, 2, highest));
    });
  }
  return largest;
}

void pack_blocks(const RowNumbers& numbers, PackedDepthwise& packed) {
  const int lanes = static_cast<int>(packed.blocks.channels / 4);
  const int64_t channels = packed.shape.in_channels, taps = packed.shape.kernel;
  const int64_t padded = packed.block_count() * packed.blocks.channels;
  packed.storage =
      allocate_floats(static_cast<size_t>(packed.block_count() * packed.block_bytes() / 4));
  packed.constants = RowConstants(padded);
  int8_t* to = packed.values();
  std::memset(to, 0, static_cast<size_t>(packed.block_count() * packed.block_bytes()));
  for (int64_t block = 0; block < packed.block_count(); ++block) {
    const int64_t first = block * packed.blocks.channels;
    const int64_t left = std::min(pixel_bytes(channels) - first, packed.blocks.channels);
    // A half or a quarter of a block meets as many pixels at a time: its channels repeat.
    const int64_t repeat = packed.blocks.channels % left == 0 ? left : packed.blocks.channels;
    const auto channel_of = [&](int i) {
      return first + block_channel(4, i / lanes, i % lanes) % repeat;
    };
    for_each_four(packed.shape, packed.blocks.window, [&](int column, int64_t top, int64_t row) {
      for (int i = 0; i < 4 * lanes; ++i, to += 4) {
        const int64_t c = channel_of(i);
        if (c < channels)
          pack_column(numbers.weights + taps * taps * c, taps, column, top, row, to);
      }
    });
    for (int i = 0; i < 4 * lanes; ++i) {
      const int64_t c = channel_of(i);
      if (c >= channels) continue;
      packed.constants.set(first + i, numbers.bias[c], numbers.multipliers[c]);
    }
  }
}

void pack_plain(const RowNumbers& numbers, PackedDepthwise& packed) {
  const Conv2dShape& s = packed.shape;
  const int64_t padded = pixel_bytes(s.in_channels), taps = s.kernel * s.kernel;
  packed.storage = allocate_floats(static_cast<size_t>(padded * taps / 4));
  std::memset(packed.values(), 0, static_cast<size_t>(padded * taps));
  packed.constants = RowConstants(padded);
  for (int64_t c = 0; c < s.in_channels; ++c) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      packed.values()[tap * padded + c] = numbers.weights[c * taps + tap];
    }
    packed.constants.set(c, numbers.bias[c], numbers.multipliers[c]);
  }
}

}  // namespace

DepthwiseWeights::DepthwiseWeights(const RowNumbers& numbers, const Conv2dShape& shape,
                                   const Grid& input) {
  require(shape.groups == shape.in_channels && shape.groups == shape.out_channels, "int8 depthwise",
          "expected a depthwise convolution, got {} channels to {} in {} groups", shape.in_channels,
          shape.out_channels, shape.groups);
  const int64_t taps = shape.kernel * shape.kernel;
  for (int64_t c = 0; c < shape.in_channels; ++c) {
    require_no_overflow("int8 depthwise", c,
                        largest_sum(numbers.weights + c * taps, taps, input.highest),
                        numbers.bias[c], numbers.multipliers[c]);
  }
  auto packed = std::make_shared<PackedDepthwise>();
  packed->shape = shape;
  packed->input = input;
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(depthwise_lanes)();
  const bool vectors = lanes > 0 && (shape.kernel == 3 || shape.kernel == 5) &&
                       shape.padding == shape.kernel / 2 &&
                       (shape.stride == 1 || shape.stride == 2);
  if (vectors) {
    packed->blocks = {4 * lanes, depthwise_window(shape.kernel, shape.stride)};
    const Product product =
        product_for(largest_depthwise_pair(numbers, shape, packed->blocks.window, input.highest));
    packed->product_name = name_of(product);
    packed->kernel = HWY_DYNAMIC_DISPATCH(depthwise_kernel)(product, shape.kernel, shape.stride);
    pack_blocks(numbers, *packed);
  } else {
    packed->blocks = {16, {0, 0}};
    const AnyDepthwise any = HWY_DYNAMIC_DISPATCH(any_depthwise)(input.highest);
    packed->product_name = any.product_name;
    packed->kernel = any.kernel;
    pack_plain(numbers, *packed);
  }
  packed->padding.assign(static_cast<size_t>(packed->blocks.channels),
                         static_cast<uint8_t>(input.zero_point));
  packed_ = std::move(packed);
}

const char* DepthwiseWeights::product() const {
  return packed_->product_name;
}
int64_t DepthwiseWeights::bytes() const {
  return pixel_bytes(packed_->shape.in_channels) *
         (packed_->shape.kernel * packed_->shape.kernel + 8);
}

void depthwise(const DepthwiseWeights& weights, const Conv2dShape& shape, const uint8_t* input,
               const Ending& output, uint8_t* to) {
  const DepthwiseCall call{weights.packed(), shape, input, output, to};
  const int64_t items = call.items();
  if (items == 0) return;
  constexpr int64_t kLeast = 1 << 17;  // what takes less time than threads to start stays on one
  const int64_t work = std::max<int64_t>(1, shape.multiply_adds() / items);
  parallel_for(items, std::max<int64_t>(1, kLeast / work),
               [&](int64_t begin, int64_t end, int) { call.weights.kernel(call, begin, end); });
}

}  // namespace edgeprune::int8
#endif
