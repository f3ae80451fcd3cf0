#pragma once
// How depthwise.cpp packs its weights and what its kernels take.
//
// Channels run along the vectors, in blocks of as many as there are bytes in one. Bytes of four rows
// of the map, one under another, are interleaved channel by channel; a dot product with a column of
// taps and zeros then is a column's part of a sum. With stride 1 the same four serve two rows of
// outputs, the zero at one end or the other, and what is interleaved once serves three columns of taps.
// Windows of 5x5 take two fours, which serve four rows of outputs, or two at stride 2.

#include <memory>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/kernels/int8/depthwise.h"
#include "engine/kernels/int8/product.h"
#include "engine/kernels/int8/row_constants.h"

namespace edgeprune::int8 {

struct DepthwiseCall;
/// Works on items [begin, end) of images x rows made at once x blocks of channels.
using DepthwiseKernel = void (*)(const DepthwiseCall& call, int64_t begin, int64_t end);

/// What convolves with any kernel size, stride and padding, and the way it multiplies.
struct AnyDepthwise {
  const char* product_name;
  DepthwiseKernel kernel;
};

/// Of a window's columns: the fours of the map's rows that are read, and the rows of outputs made of them at once.
struct DepthwiseWindow {
  int quads, rows;
};
constexpr DepthwiseWindow depthwise_window(int64_t taps, int64_t stride) {
  const int quads = static_cast<int>((taps + 3) / 4);
  return {quads, static_cast<int>((4 * quads - taps) / stride) + 1};
}

/// Channels of a block, and its window; no quads: plain loops.
struct DepthwiseBlocks {
  int64_t channels;
  DepthwiseWindow window;
};

struct PackedDepthwise {
  Conv2dShape shape;
  Grid input;
  DepthwiseBlocks blocks;
  const char* product_name;
  DepthwiseKernel kernel;
  /// Of each block [column of taps][four rows][row of outputs][vector][lane][4]; in plain loops [tap][channel].
  std::shared_ptr<float[]> storage = nullptr;
  RowConstants constants = {};  ///< of each block [vector][lane]; in plain loops [channel]
  /// A pixel of padding, of as many bytes as a block.
  std::vector<uint8_t> padding = {};

  const int32_t* bias() const { return constants.bias(); }
  const float* multipliers() const { return constants.multipliers.get(); }
  int8_t* values() const { return reinterpret_cast<int8_t*>(storage.get()); }
  int64_t block_bytes() const {
    return shape.kernel * blocks.window.quads * blocks.window.rows * blocks.channels * 4;
  }
  int64_t block_count() const {
    return (pixel_bytes(shape.in_channels) + blocks.channels - 1) / blocks.channels;
  }
};

struct DepthwiseCall {
  const PackedDepthwise& weights;
  Conv2dShape shape;
  const uint8_t* input;
  Ending output;
  uint8_t* to;

  int64_t row_groups() const {
    const int64_t rows = std::max(1, weights.blocks.window.rows);
    return (shape.out_height() + rows - 1) / rows;
  }
  int64_t items() const { return shape.batch * row_groups() * weights.block_count(); }
};

}  // namespace edgeprune::int8
