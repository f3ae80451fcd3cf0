#pragma once
// Depthwise 3x3 and 5x5 convolution, padding 1 and 2, stride 1 or 2, channels-last, vectors along
// the channels.
// oneDNN 2.6 has no fast channels-last path for all of these shapes (2x2 maps backward least of
// all).

#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Whether the kernels below cover a shape.
bool depthwise_supported(const Conv2dShape& shape);

/// Weights [C,1,k,k] to the tap-major [k*k,C] that these kernels read, and back.
void filters_to_taps(const float* filters, int64_t channels, float* taps, int64_t kernel = 3);
void taps_to_filters(const float* taps, int64_t channels, float* filters, int64_t kernel = 3);

/// Inference: output = activation(depthwise(input) + bias); bias [C] may be null.
void depthwise_forward(const Conv2dShape& shape, const float* input, const float* taps,
                       const float* bias, Activation activation, float* output);

// Training: activations are read through the batch norms around the layer, whose sums are taken on
// the way, images by images while they are in cache. Results repeat bit for bit with the same
// number of threads.

/// output = depthwise(input); `moments` of the output unless null.
void depthwise_forward(const Conv2dShape& shape, const Normalized& input, const float* taps,
                       float* output, const Moments* moments);

/// Gradients, each unless null. grad_input is that of the values read, i.e. behind input's
/// activation; `sums` takes what the batch norm of `input` needs, and wants grad_input, and input
/// normalised.
struct DepthwiseGradients {
  float* grad_input = nullptr;
  const GradientSums* sums = nullptr;
  float* grad_taps = nullptr;  ///< [k*k,C]
};
void depthwise_backward(const Conv2dShape& shape, const NormalizedGradient& grad_output,
                        const Normalized& input, const float* taps,
                        const DepthwiseGradients& gradients);

}  // namespace edgeprune::simd
