#pragma once
// How a tensor's rows [rows, channels] are worked off: in pieces, one thread's work at a time, and
// within them in blocks that stay in cache.

#include <algorithm>
#include <cstdint>
#include <memory>

#include "engine/base/buffer.h"
#include "engine/base/parallel.h"

namespace edgeprune::simd {

/// So many rows, whole register tiles, that their floats, all tensors together, stay in the
/// second-level cache.
inline int64_t block_rows(int64_t floats_per_row) {
  constexpr int64_t kFloats = 32 * 1024, kTileRows = 8;
  return std::clamp<int64_t>(kFloats / floats_per_row / kTileRows * kTileRows, 32, 256);
}

/// Pieces of at least so many rows, unless some threads had none then.
inline Pieces row_pieces(int64_t rows, int64_t least) {
  constexpr int64_t kTileRows = 8;
  const int64_t share = rows / thread_count() / kTileRows * kTileRows;
  return {rows, std::clamp(share, kTileRows, std::max(least, kTileRows))};
}

/// Where a thread writes its rows of a tensor [rows, channels], block by block: in place; or, if
/// the tensor is too large for the caches, into a block of its own, to be streamed past them when
/// it is complete. (A line that is written in place is first read from memory.)
class BlockOutput {
 public:
  /// `tensor`, of so many rows, may be null: then nothing is to be written.
  BlockOutput(float* tensor, int64_t rows, int64_t channels, int64_t block_rows)
      : tensor_(tensor), channels_(channels) {
    constexpr int64_t kLine = 16, kTooLarge = 2 << 20;  // floats; 8 MB
    const bool whole_lines = channels % kLine == 0 && reinterpret_cast<uintptr_t>(tensor) % 64 == 0;
    if (tensor != nullptr && whole_lines && rows * channels > kTooLarge) {
      block_ = allocate_floats(static_cast<size_t>(block_rows * channels));
    }
  }

  /// Where to write the block that starts at `row`.
  float* block(int64_t row) const { return block_ ? block_.get() : tensor_ + row * channels_; }
  /// Where to stream it; null if it is in place.
  float* destination(int64_t row) const { return block_ ? tensor_ + row * channels_ : nullptr; }

 private:
  float* tensor_;
  int64_t channels_;
  std::shared_ptr<float[]> block_;
};

}  // namespace edgeprune::simd
