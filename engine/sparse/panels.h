#pragma once

#include <algorithm>
#include <cstdint>

namespace edgeprune::sparse {

/// How the sparse path stores activations: a matrix of channels x columns, cut into panels of
/// `width` columns; inside a panel each channel's columns are contiguous: [panel][channel][width].
/// A column is a pixel of an image, images innermost: column = (h * W + w) * N + n. Panels rather
/// than whole rows because rows a power of two apart fall into the same few sets of the L1 cache.
struct Panels {
  static constexpr int64_t kWidth = 64;  ///< four AVX-512 vectors
  static constexpr int64_t kNarrowest = 16;

  int64_t channels = 0, columns = 0;

  /// Fewer columns than a panel make one narrower panel, a multiple of 16 wide.
  int64_t width() const {
    return std::min(kWidth, (columns + kNarrowest - 1) / kNarrowest * kNarrowest);
  }
  int64_t count() const { return (columns + width() - 1) / width(); }
  /// Floats to allocate: the last panel is padded to full width, with values nobody reads.
  int64_t size() const { return count() * channels * width(); }
  int64_t offset(int64_t channel, int64_t column) const {
    return (column / width() * channels + channel) * width() + column % width();
  }
};

}  // namespace edgeprune::sparse
