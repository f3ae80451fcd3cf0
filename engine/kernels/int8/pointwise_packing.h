#pragma once
// How pointwise.cpp packs its weights and what its kernels take.

#include <array>
#include <memory>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/kernels/int8/pointwise.h"
#include "engine/kernels/int8/product.h"
#include "engine/kernels/int8/row_constants.h"
#include "engine/kernels/int8/word_sums.h"

namespace edgeprune::int8 {

/// Rows that a register tile takes: some vectors of sums.
struct RowBlock {
  int64_t first;
  int vectors;
  int64_t begin = 0;             ///< its first byte in the storage
  WordSums::Counts groups = {};  ///< without dot products: how many of each size
};

/// Lanes of a vector, of how many vectors blocks may be, how many pixels fill register tiles, and whose
/// vectors they are.
enum class Way { x86, neon, plain };
struct RowLanes {
  int lanes, most_vectors, pixels;
  Way way;
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
  int lanes;    ///< of the target that it was packed for
  int pixels;   ///< that fill register tiles
  int highest;  ///< of the inputs
  Product product;
  bool words;     ///< products are summed in words
  bool less_128;  ///< inputs are taken so
  const char* product_name;
  PointwiseKernel kernel;
  std::vector<RowBlock> blocks = {};
  /// Of each block [four channels][vector][lane][4]; where sums are words (word_sums.h), of each of a block's
  /// groups: what words start from, [vector][lane][2 words], unless weights are sizes; then
  /// [four][vector][lane][4], of sizes [four][vector][sizes, flips][lane][4].
  std::shared_ptr<float[]> storage = nullptr;
  int64_t storage_bytes = 0;
  RowConstants constants = {};  ///< of each block [vector][lane]
  /// Where sums are words: of each block, its fours in the order of their groups.
  std::vector<int32_t> fours = {};

  int64_t quads() const { return (channels + 3) / 4; }
  const int8_t* values() const { return reinterpret_cast<const int8_t*>(storage.get()); }
};

/// Fills in blocks' bytes, constants and fours of what has all else.
void pack_rows(const RowNumbers& numbers, PackedPointwise& packed);

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
    constexpr int64_t kTile = 24, kBytes = 16384;
    const int64_t cached = std::max<int64_t>(1, kBytes / (kTile * weights.quads() * 4)) * kTile;
    const int64_t share = std::max<int64_t>(1, (input.count + threads - 1) / threads);
    return std::min(cached, (share + weights.pixels - 1) / weights.pixels * weights.pixels);
  }
  int64_t pieces() const { return (input.count + piece() - 1) / piece(); }
  int64_t items() const { return pieces() * static_cast<int64_t>(weights.blocks.size()); }
};

}  // namespace edgeprune::int8
