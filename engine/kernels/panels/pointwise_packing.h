#pragma once
// How pointwise.cpp packs its weights and what its kernels take.

#include <memory>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// Rows cut into blocks, one a register tile. Counted in units of one row (columns run along the
/// vectors) or of a vector's lanes (rows do); blocks are as even as can be.
struct RowBlocks {
  int64_t rows, unit_rows, most_units;

  int64_t units() const { return (rows + unit_rows - 1) / unit_rows; }
  int64_t count() const { return (units() + most_units - 1) / most_units; }
  int64_t first_unit(int64_t block) const { return units() * block / count(); }
};

struct PointwiseCall;
/// Works on items [begin, end) of panels x blocks, panel by panel.
using PointwiseKernel = void (*)(const PointwiseCall& call, int64_t begin, int64_t end);

struct PackedPointwise {
  RowBlocks blocks;
  int64_t channels;
  int64_t narrow_width;    ///< of the panels that it was packed for, 4 or 8; 0: wider ones
  PointwiseKernel kernel;  ///< of the target that it was packed for
  /// Block by block, each [channels][its units][unit_rows]; zeros behind the last row.
  std::shared_ptr<const float[]> values;

  const float* block(int64_t index) const {
    return values.get() + blocks.first_unit(index) * blocks.unit_rows * channels;
  }
};

struct PointwiseCall {
  const PackedPointwise& weights;
  int64_t columns;
  const float *input, *bias, *residual;
  Activation activation;
  float* output;
};

}  // namespace edgeprune::panels
