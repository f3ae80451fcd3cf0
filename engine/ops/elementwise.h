#pragma once

#include "engine/autograd/variable.h"
#include "engine/base/random.h"

namespace edgeprune::ops {

/// activation(x), any shape. Behind a batch norm use its fused activation.
Variable activate(const Variable& input, Activation activation);

/// a + b, equal shapes.
Variable add(const Variable& a, const Variable& b);

/// input [N,H,W,C], each channel of each image times its own of factors [N,C] or [N,1,1,C]: the end of
/// squeeze-and-excite (Hu et al. 2018).
Variable multiply(const Variable& input, const Variable& factors);

/// The same values by another shape of as many.
Variable reshape(const Variable& input, const Shape& shape);

/// In training each value becomes zero with probability `rate`, the others are scaled by 1 / (1 -
/// rate) (Srivastava et al. 2014); in evaluation the input is passed on. Throws
/// std::invalid_argument unless 0 <= rate < 1.
Variable dropout(const Variable& input, float rate, bool training, Rng& rng);

}  // namespace edgeprune::ops
