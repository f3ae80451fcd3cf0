#pragma once

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// A panel of outputs to compute.
struct StemPanel {
  Conv2dShape shape;
  const float *images, *weights, *bias;
  /// [I*9][kPatchStride]: what each weight of an output channel meets, column by column
  float* patches;
  int64_t first, width;  ///< columns
  float* output;         ///< of the first channel
  int64_t output_row;    ///< floats from a channel to the next

  /// Beyond a panel's width, so that a vector may end behind it.
  static constexpr int64_t kPatchStride = PanelLayout::kWidth + 32;
  int64_t taps() const { return shape.in_channels * 9; }
};

}  // namespace edgeprune::panels
