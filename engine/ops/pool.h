#pragma once

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

/// [N,H,W,C] to [N,C]: the mean over H and W.
Variable global_average_pool(const Variable& input);

struct MaxPoolParams {
  int64_t kernel = 2, stride = 2, padding = 0;
};

/// input [N,H,W,C]. Result [N,H',W',C], H' = (H + 2 padding - kernel) / stride + 1: the largest value
/// of each window; padding is smaller than any. As PyTorch's: the gradient goes to the first of equal
/// values, NaN counts more than any number. Throws std::invalid_argument on what PyTorch refuses,
/// too: more padding than half a kernel, or a window larger than the padded map.
Variable max_pool(const Variable& input, const MaxPoolParams& params);

}  // namespace edgeprune::ops
