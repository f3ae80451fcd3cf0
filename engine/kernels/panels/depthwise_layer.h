#pragma once

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// A layer, and the channels of it that a thread computes.
struct DepthwiseLayer {
  Conv2dShape shape;
  const float *input, *taps, *bias;  ///< taps [9,C]
  float* scratch;
  float* output;
  int64_t begin, end;  ///< channels

  PanelLayout in() const {
    return {shape.in_channels, shape.in_height * shape.in_width * shape.batch};
  }
  PanelLayout out() const {
    return {shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
  }
};

}  // namespace edgeprune::panels
