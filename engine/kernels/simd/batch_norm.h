#pragma once
// Batch normalisation over [rows, channels] where no neighbouring kernel does it on its way: each
// function reads its inputs once, being bound by memory.

#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Per-channel mean and biased variance.
void batch_norm_statistics(const float* input, int64_t rows, int64_t channels,
                           const Moments& moments);

/// What a reader sees, written out.
void normalize(const Normalized& input, int64_t rows, int64_t channels, float* output);
void normalize(const NormalizedGradient& grad, int64_t rows, int64_t channels, float* output);

/// a + b as their readers see them: a residual block's end.
void add(const Normalized& a, const Normalized& b, int64_t rows, int64_t channels, float* output);

/// First half of the backward pass; `grad` is the gradient of what readers of `input` see. The
/// activation's mask is recomputed, not stored.
void batch_norm_backward_sums(const Normalized& input, const float* grad, int64_t rows,
                              int64_t channels, const GradientSums& sums);

}  // namespace edgeprune::simd
