#pragma once
// Depthwise 3x3 convolution on panels (panel_layout.h).

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// Floats of scratch a thread needs.
int64_t depthwise_scratch_size(const Conv2dShape& shape);

/// output = activation(depthwise(input) + bias). Padding 1, stride 1 or 2. input: PanelLayout{C,
/// H*W*N}; output: PanelLayout{C, H'*W'*N}; filters [C,1,3,3], bias [C]; scratch:
/// depthwise_scratch_size() floats a thread, zero before the first call and kept between calls (its
/// border stays zero).
void depthwise_forward(const Conv2dShape& shape, const float* input, const float* filters,
                       const float* bias, Activation activation, float* scratch, float* output);

}  // namespace edgeprune::panels
