#pragma once
// Depthwise 3x3 convolution on panels (panel_layout.h).

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// Floats of scratch a thread needs.
int64_t depthwise_scratch_size(const Conv2dShape& shape);

/// Whether the kernel below covers a shape.
bool depthwise_supported(const Conv2dShape& shape);

/// output = activation(depthwise(input) + bias). Padding 1, stride 1 or 2. input: PanelLayout{C,
/// H*W*N}; output: PanelLayout{C, H'*W'*N}; taps [9,C] (simd::filters_to_taps), bias [C]; scratch:
/// depthwise_scratch_size() floats a thread, whatever is in them.
void depthwise_forward(const Conv2dShape& shape, const float* input, const float* taps,
                       const float* bias, Activation activation, float* scratch, float* output);

}  // namespace edgeprune::panels
