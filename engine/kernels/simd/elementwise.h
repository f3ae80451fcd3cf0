#pragma once
// Element by element, bound by memory.

#include <cstdint>

#include "engine/kernels/activation.h"

namespace edgeprune::simd {

/// output = a + b; output may be either of them.
void add(const float* a, const float* b, int64_t count, float* output);

/// output = activation(input); output may be input. NaN stays NaN.
void activate(Activation activation, const float* input, int64_t count, float* output);
/// The gradient of `input` from that of the output, which may be the same buffer. Zero where the
/// activation clips, its end points included (as PyTorch's).
void activation_gradient(Activation activation, const float* input, const float* grad_output,
                         int64_t count, float* grad_input);

}  // namespace edgeprune::simd
