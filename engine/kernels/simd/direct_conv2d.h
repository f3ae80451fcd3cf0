#pragma once
// Training's convolutions whose input nobody wants the gradient of (a network's first layer), any
// kernel size, one group. A channels-last window is k stretches of k*I floats, one in each of k
// lines: products read them where they are. Results repeat bit for bit with the same number of
// threads.

#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Channels-last `input` and `output`, `weights` [O,I,k,k]; `moments` of the output unless null.
void direct_forward(const Conv2dShape& shape, const float* input, const float* weights,
                    float* output, const Moments* moments);

/// `grad_weights` [O,I,k,k].
void direct_backward_weights(const Conv2dShape& shape, const NormalizedGradient& grad_output,
                             const float* input, float* grad_weights);

}  // namespace edgeprune::simd
