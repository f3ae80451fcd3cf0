#pragma once
// How sparse_pointwise.cpp packs nonzeros and what its kernels take.

#include <memory>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/kernels/int8/product.h"
#include "engine/kernels/int8/sparse_pointwise.h"

namespace edgeprune::int8 {

// A tile of pixels is turned over in the first-level cache, so that a channel's bytes are one vector.
// Four such vectors, of whichever channels, unpacked into one another are what the products of four
// bytes take. Where four rows of weights have their nonzeros in the same places (blocks of 4x1), they
// share the unpacking.

/// Channels that are turned over at a time.
inline constexpr int kChunk = 16;

/// A row alone, or four that share their channels.
struct SparseGroup {
  int64_t first;  ///< row
  int rows;       ///< 1 or 4
  int fours;      ///< how many
};

struct SparseCall;
/// Works on tiles [begin, end). `panel`: scratch of one thread.
using SparseKernel = void (*)(const SparseCall& call, int64_t begin, int64_t end, uint8_t* panel);

struct PackedSparse {
  int64_t rows, channels;
  int tile;  ///< pixels
  Product product;
  SparseKernel kernel;
  std::vector<SparseGroup> groups = {};  ///< of all pixel_bytes(rows) rows, by first row
  /// Of each group, four after four: where the channels lie in a tile turned over, in units of 8
  /// bytes; then four weights of each row.
  std::vector<int16_t> stream = {};
  std::vector<int32_t> bias = {};
  std::vector<float> multipliers = {};
  int64_t multiplied = 0;  ///< weights, with those that fill up fours
  int64_t shared = 0;      ///< of these, in groups of four rows

  int64_t panel_bytes() const { return pixel_bytes(channels) * tile; }
};

struct SparseCall {
  const PackedSparse& weights;
  Pixels input;
  QuantizedResidual residual;
  Ending output;
  uint8_t* to;

  int64_t tiles() const { return (input.count + weights.tile - 1) / weights.tile; }
};

}  // namespace edgeprune::int8
