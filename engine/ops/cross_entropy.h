#pragma once

#include <span>

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

/// Mean over the batch of -log softmax(logits)[label]: a scalar (shape []). logits [N,K], labels N
/// values in [0,K). Throws std::invalid_argument on counts that differ or a label out of range.
Variable cross_entropy(const Variable& logits, std::span<const int> labels);

}  // namespace edgeprune::ops
