#pragma once
// Depthwise 3x3 convolution, padding 1, stride 1 or 2, channels-last, vectors along the channels.
// oneDNN 2.6 has no fast channels-last path for all of these shapes (2x2 maps backward least of
// all).

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::simd {

/// Whether the kernels below cover a shape.
bool depthwise_supported(const Conv2dShape& shape);

/// Weights [C,1,3,3] to the tap-major [9,C] that these kernels read, and back.
void filters_to_taps(const float* filters, int64_t channels, float* taps);
void taps_to_filters(const float* taps, int64_t channels, float* filters);

/// output = activation(depthwise(input) + bias); bias [C] may be null.
void depthwise_forward(const Conv2dShape& shape, const float* input, const float* taps,
                       const float* bias, Activation activation, float* output);
/// d(loss)/d(input). Overwrites.
void depthwise_backward_data(const Conv2dShape& shape, const float* grad_output, const float* taps,
                             float* grad_input);
/// d(loss)/d(taps) [9,C]. Overwrites. Sums repeat bit for bit with the same number of threads.
void depthwise_backward_weights(const Conv2dShape& shape, const float* input,
                                const float* grad_output, float* grad_taps);

}  // namespace edgeprune::simd
