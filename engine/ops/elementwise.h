#pragma once

#include "engine/autograd/variable.h"
#include "engine/base/random.h"

namespace edgeprune::ops {

/// activation(x), any shape. Behind a batch norm use its fused activation.
Variable activate(const Variable& input, Activation activation);

/// a + b, equal shapes.
Variable add(const Variable& a, const Variable& b);

/// In training each value becomes zero with probability `rate`, the others are scaled by 1 / (1 -
/// rate) (Srivastava et al. 2014); in evaluation the input is passed on. Throws
/// std::invalid_argument unless 0 <= rate < 1.
Variable dropout(const Variable& input, float rate, bool training, Rng& rng);

}  // namespace edgeprune::ops
