#pragma once
// Max pooling, channels-last, vectors along the channels.

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::simd {

/// The largest value of each window; its kernel, stride and padding (at most half a kernel) are those
/// of `shape`, whose channels stay as many. As PyTorch's: of equal values the first counts, NaN more
/// than any number. `taps`, unless null, takes which of the window's values it was, counted row by
/// row, shaped as output.
void max_pool(const Conv2dShape& shape, const float* input, float* output, float* taps);

/// grad_input: what the windows that chose a value send it.
void max_pool_backward(const Conv2dShape& shape, const float* grad_output, const float* taps,
                       float* grad_input);

}  // namespace edgeprune::simd
