#pragma once
// Element by element, bound by memory.

#include <cstdint>

namespace edgeprune::simd {

/// output = a + b; output may be either of them.
void add(const float* a, const float* b, int64_t count, float* output);

void relu6_forward(const float* input, int64_t count, float* output);
/// grad_input = grad_output where 0 < input < 6, else 0 (as PyTorch's).
void relu6_backward(const float* input, const float* grad_output, int64_t count, float* grad_input);

}  // namespace edgeprune::simd
