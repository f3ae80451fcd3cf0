#pragma once

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// A panel of outputs to compute.
struct StemPanel {
  Conv2dShape shape;
  const float *images, *weights, *bias;
  float* patches;  ///< [I*9][width]: what each weight of an output channel meets, column by column
  int64_t first, width;  ///< columns
  float* output;         ///< [O][width]

  int64_t taps() const { return shape.in_channels * 9; }
};

}  // namespace edgeprune::panels
