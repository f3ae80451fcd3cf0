#pragma once
// Optimiser updates: one pass over parameter, gradient and state, on the calling thread.

#include <cstdint>

namespace edgeprune::simd {

/// One Adam step (Kingma & Ba 2015, with PyTorch's placement of eps and L2 weight decay added to
/// the gradient).
struct AdamStep {
  float learning_rate = 1e-3f, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0;
  float bias_correction1 = 1, bias_correction2 = 1;  ///< 1 - beta^t
};
/// `mask` (0 or 1 per parameter) may be null; a masked parameter becomes exactly zero.
void adam_update(const AdamStep& step, const float* grad, const float* mask, int64_t count,
                 float* parameter, float* first_moment, float* second_moment);

/// One SGD step with PyTorch's momentum: velocity = momentum * velocity + grad; parameter -=
/// learning_rate * velocity.
struct SgdStep {
  float learning_rate = 1e-2f, momentum = 0.9f, weight_decay = 0;
};
void sgd_update(const SgdStep& step, const float* grad, const float* mask, int64_t count,
                float* parameter, float* velocity);

/// How many of the parameters that `pruned` (0: free, 255: pruned) names are not zero; NaN is not.
int64_t count_pruned_nonzeros(const float* parameter, const uint8_t* pruned, int64_t count);

}  // namespace edgeprune::simd
