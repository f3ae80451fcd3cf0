#pragma once
// Batch normalisation with a fused activation, over [rows, channels] (channels-last activations,
// rows = N*H*W). Each function reads its inputs once: they are bound by memory, not by arithmetic.

#include <cstdint>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::simd {

/// Per-channel mean and biased variance.
void batch_norm_statistics(const float* input, int64_t rows, int64_t channels, float* mean,
                           float* variance);

/// output = activation(input * scale + shift), scale and shift per channel.
void scale_shift(const float* input, int64_t rows, int64_t channels, const float* scale,
                 const float* shift, Activation activation, float* output);

/// First half of the backward pass. With z = input * scale + shift and g = grad_output where the
/// activation passes it: sum_grad = sum(g) and sum_grad_input = sum(g * (input - mean)), per
/// channel. The mask is recomputed, not stored.
void batch_norm_backward_sums(const float* input, const float* grad_output, int64_t rows,
                              int64_t channels, const float* mean, const float* scale,
                              const float* shift, Activation activation, float* sum_grad,
                              float* sum_grad_input);

/// Second half: grad_input = a * g + b * input + c, coefficients per channel.
void batch_norm_backward_data(const float* input, const float* grad_output, int64_t rows,
                              int64_t channels, const float* scale, const float* shift,
                              Activation activation, const float* a, const float* b, const float* c,
                              float* grad_input);

}  // namespace edgeprune::simd
