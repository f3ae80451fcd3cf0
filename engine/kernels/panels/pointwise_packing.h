#pragma once
// How pointwise.cpp packs its weights and what its kernels take.

#include <algorithm>
#include <memory>

#include "engine/base/buffer.h"
#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// Rows cut into blocks, one a register tile. Counted in units of one row (columns run along the
/// vectors) or of a vector's lanes (rows do). Blocks are as even as can be, and so is every half of
/// them: the larger ones stand between the others.
struct RowBlocks {
  /// An even number of blocks, where there are several, can be shared evenly by two threads.
  RowBlocks(int64_t row_count, int64_t rows_a_unit, int64_t most_units, bool even_count)
      : rows(row_count), unit_rows(rows_a_unit), units((rows + unit_rows - 1) / unit_rows) {
    count = (units + most_units - 1) / most_units;
    if (even_count && count > 1 && count < units) count += count % 2;
  }

  int64_t rows, unit_rows, units, count;

  int64_t first_unit(int64_t block) const { return units * block / count; }
  int64_t block_units(int64_t block) const { return first_unit(block + 1) - first_unit(block); }
};

/// Weights [rows, channels] block by block, each [padded_channels][its units][unit_rows]; zeros where
/// there is no row or channel.
inline std::shared_ptr<const float[]> pack_rows(const RowBlocks& blocks, const float* weights,
                                                int64_t channels, int64_t padded_channels) {
  const auto values =
      allocate_floats(static_cast<size_t>(blocks.units * blocks.unit_rows * padded_channels));
  float* to = values.get();
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t first = blocks.first_unit(block) * blocks.unit_rows;
    const int64_t last = blocks.first_unit(block + 1) * blocks.unit_rows;
    for (int64_t k = 0; k < padded_channels; ++k) {
      for (int64_t row = first; row < last; ++row) {
        *to++ = row < blocks.rows && k < channels ? weights[row * channels + k] : 0.0f;
      }
    }
  }
  return values;
}

struct PointwiseCall;
/// Works on items [begin, end) of panels x blocks, panel by panel.
using PointwiseKernel = void (*)(const PointwiseCall& call, int64_t begin, int64_t end);

struct PackedPointwise {
  RowBlocks blocks;
  PanelLayout input;       ///< that it was packed for
  int64_t tile_vectors;    ///< of columns that a register tile takes; 0: rows run along the vectors
  PointwiseKernel kernel;  ///< of the target that it was packed for
  std::shared_ptr<const float[]> values = nullptr;  ///< pack_rows()

  const float* block(int64_t index) const {
    return values.get() + blocks.first_unit(index) * blocks.unit_rows * input.channels;
  }
};

struct PointwiseCall {
  const PackedPointwise& weights;
  int64_t columns;
  const float *input, *bias, *residual;
  Activation activation;
  PanelTarget output;
};

}  // namespace edgeprune::panels
