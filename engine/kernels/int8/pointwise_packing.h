#pragma once
// How pointwise.cpp packs its weights and what its kernels take.

#include <memory>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/kernels/int8/pointwise.h"
#include "engine/kernels/int8/product.h"
#include "engine/kernels/int8/row_constants.h"

namespace edgeprune::int8 {

/// Rows that a register tile takes: some vectors of sums.
struct RowBlock {
  int64_t first;
  int vectors;
};

/// Lanes of a vector, and of how many vectors blocks may be.
struct RowLanes {
  int lanes, most_vectors;
};

/// The row within a block whose sum lane `lane` of vector `vector` holds: what in-lane packing of
/// 32-bit sums to bytes puts into the order of memory.
constexpr int64_t block_channel(int vectors, int vector, int lane) {
  return lane / 4 * 4 * vectors + vector * 4 + lane % 4;
}

struct PointwiseCall;
/// Works on items [begin, end) of pieces of pixels x blocks, piece by piece.
using PointwiseKernel = void (*)(const PointwiseCall& call, int64_t begin, int64_t end);

struct PackedPointwise {
  int64_t rows, channels;
  int lanes;  ///< of the target that it was packed for
  const char* product_name;
  PointwiseKernel kernel;
  std::vector<RowBlock> blocks = {};
  /// Of each block [four channels][vector][lane][4].
  std::shared_ptr<float[]> storage = nullptr;
  RowConstants constants = {};  ///< of each block [vector][lane]

  int64_t quads() const { return (channels + 3) / 4; }
  int8_t* values() const { return reinterpret_cast<int8_t*>(storage.get()); }
  const int8_t* block(int64_t i) const {
    return values() + blocks[static_cast<size_t>(i)].first * quads() * 4;
  }
};

struct PointwiseCall {
  const PackedPointwise& weights;
  Pixels input;
  QuantizedResidual residual;
  Ending output;
  uint8_t* to;    ///< null: logits
  float* logits;  ///< [pixels, rows]
  int threads = 1;

  /// Pixels of a piece: their bytes and a block's weights share the first-level cache. Whole tiles. Threads take
  /// pixels of their own, not rows: they would write to the same cache lines, and the next layer's threads
  /// find their rows of the map where they are.
  int64_t piece() const {
    constexpr int64_t kTile = 24, kHalf = kTile / 2, kBytes = 16384;
    const int64_t cached = std::max<int64_t>(1, kBytes / (kTile * weights.quads() * 4)) * kTile;
    const int64_t share = std::max<int64_t>(1, (input.count + threads - 1) / threads);
    return std::min(cached, (share + kHalf - 1) / kHalf * kHalf);
  }
  int64_t pieces() const { return (input.count + piece() - 1) / piece(); }
  int64_t items() const { return pieces() * static_cast<int64_t>(weights.blocks.size()); }
};

}  // namespace edgeprune::int8
