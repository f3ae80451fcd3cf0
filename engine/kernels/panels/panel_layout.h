#pragma once

#include <algorithm>
#include <cstdint>

namespace edgeprune {

/// Where a kernel writes panels: channel c of the i-th one from at(i, c) on. In a matrix of panels
/// as PanelLayout says, or each channel's columns in one piece.
struct PanelTarget {
  float* data;
  int64_t panel, channel;  ///< floats from one to the next

  float* at(int64_t i, int64_t c) const { return data + i * panel + c * channel; }
};

/// How inference stores activations: a matrix of channels x columns, cut into panels of
/// `width` columns; inside a panel each channel's columns are contiguous: [panel][channel][width].
/// A column is a pixel of an image, images innermost: column = (h * W + w) * N + n. Panels rather
/// than whole rows because rows a power of two apart fall into the same few sets of the L1 cache.
struct PanelLayout {
  static constexpr int64_t kWidth = 64;  ///< four AVX-512 vectors

  int64_t channels = 0, columns = 0;

  /// Fewer columns than a panel make one narrower panel: 4, 8 or a multiple of 16 wide.
  int64_t width() const {
    if (columns <= 8) return columns <= 4 ? 4 : 8;
    return std::min(kWidth, (columns + 15) / 16 * 16);
  }
  int64_t count() const { return (columns + width() - 1) / width(); }
  /// Of a panel, what kernels compute: its columns rounded up to whole vectors.
  int64_t used_width(int64_t panel) const {
    return std::min(width(), (columns - panel * width() + 15) / 16 * 16);
  }
  /// The same of all panels.
  int64_t used_columns() const { return (count() - 1) * width() + used_width(count() - 1); }
  /// Floats to allocate: the last panel is padded to full width, with values nobody reads.
  int64_t size() const { return count() * channels * width(); }
  PanelTarget target(float* data) const { return {data, channels * width(), width()}; }
  int64_t offset(int64_t channel, int64_t column) const {
    return (column / width() * channels + channel) * width() + column % width();
  }
};

}  // namespace edgeprune
