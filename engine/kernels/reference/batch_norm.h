#pragma once
// Batch normalisation (Ioffe & Szegedy 2015) over [rows, channels], in double, from the formulas.

#include <cstdint>

namespace edgeprune::reference {

/// Per-channel mean and biased variance.
void batch_norm_statistics(const float* input, int64_t rows, int64_t channels, float* mean,
                           float* variance);

/// Gradients of y = gamma * (x - mean) / sqrt(variance + eps) + beta with mean and variance taken
/// from x itself.
void batch_norm_backward(const float* input, const float* grad_output, int64_t rows,
                         int64_t channels, const float* gamma, float eps, float* grad_input,
                         float* grad_gamma, float* grad_beta);

}  // namespace edgeprune::reference
