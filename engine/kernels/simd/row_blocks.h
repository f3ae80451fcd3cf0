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

/// The same for sums that each piece writes and adds up once. Few rows make too few pieces for the
/// last ones to fill up what the first ones leave (784 rows: 256 + 256 beside 256 + 16): then every
/// thread has one.
inline Pieces summed_row_pieces(int64_t rows, int64_t least) {
  constexpr int64_t kTileRows = 8, kFew = 4;
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows, threads = thread_count();
  const int64_t share = (tiles + threads - 1) / threads * kTileRows;
  const bool few = threads > 1 && share < kFew * least;
  return few ? Pieces(rows, share) : row_pieces(rows, least);
}

/// Fetches what is read next into the second-level cache, a few lines at a time while arithmetic
/// runs, so that memory works meanwhile: the processor by itself looks ahead only along what is
/// being read.
class Ahead {
 public:
  /// `count` floats from there; none if that is not positive.
  void add(const float* from, int64_t count) {
    if (count > 0) streams_[count_++] = {from, from + count};
  }
  /// In so many calls of some(), all that was added.
  void spread_over(int64_t calls) {
    int64_t lines = 0;
    for (int i = 0; i < count_; ++i) lines += (streams_[i].end - streams_[i].at) / kLine + 1;
    lines_a_call_ = (lines + calls - 1) / std::max<int64_t>(1, calls);
  }
  void some() {
    int64_t left = lines_a_call_;
    while (left > 0 && count_ > 0) {
      Stream& stream = streams_[count_ - 1];
      for (; left > 0 && stream.at < stream.end; --left, stream.at += kLine) {
        __builtin_prefetch(stream.at, 0, 2);
      }
      if (stream.at >= stream.end) --count_;
    }
  }

 private:
  static constexpr int64_t kLine = 16;  // floats
  struct Stream {
    const float *at, *end;
  };
  Stream streams_[3] = {};  // an input, a gradient, and what the gradient is read through
  int count_ = 0;
  int64_t lines_a_call_ = 0;
};

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
