#pragma once
// Training's 1x1 convolutions, channels-last: matrix products that read their activations through
// the batch norms around them and take those batch norms' sums on the way, block of rows by block
// of rows while it is in cache. Weights [out_channels, in_channels]. Results repeat bit for bit
// with the same number of threads.

#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

struct PointwiseShape {
  int64_t rows, in_channels, out_channels;
};

/// output [rows, out_channels] = input * transposed weights; `moments` of the output unless null.
void pointwise_forward(const PointwiseShape& shape, const Normalized& input, const float* weights,
                       float* output, const Moments* moments);

/// Gradients, each unless null. grad_input is that of the values read, i.e. behind input's
/// activation; `sums` takes what the batch norm of `input` needs, and wants grad_input, and input
/// normalised.
struct PointwiseGradients {
  float* grad_input = nullptr;
  const GradientSums* sums = nullptr;
  float* grad_weights = nullptr;
};
void pointwise_backward(const PointwiseShape& shape, const NormalizedGradient& grad_output,
                        const Normalized& input, const float* weights,
                        const PointwiseGradients& gradients);

}  // namespace edgeprune::simd
