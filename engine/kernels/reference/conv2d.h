#pragma once
// The obvious loops: the oracle that every faster convolution is tested against. Any kernel size,
// stride, padding, groups.

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::reference {

/// output = activation(conv(input, weights) + bias + residual); bias [O] and residual (shaped as
/// output) may be null.
void conv2d_forward(const Conv2dShape& shape, const float* input, const float* weights,
                    const float* bias, const float* residual, Activation activation, float* output);
/// d(loss)/d(input) from d(loss)/d(output). Overwrites.
void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* weights,
                          float* grad_input);
/// d(loss)/d(weights). Overwrites.
void conv2d_backward_weights(const Conv2dShape& shape, const float* input, const float* grad_output,
                             float* grad_weights);

}  // namespace edgeprune::reference
