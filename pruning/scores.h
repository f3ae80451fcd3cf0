#pragma once
// How much each unit matters, by any method. Which of them go is smallest.h's.

#include "pruning/method.h"

namespace edgeprune {

/// The units that a method prunes when each layer is by itself: its weights, single or in blocks, or its output
/// channels.
std::vector<Units> units_of(const nn::Network& model, Method method,
                            WeightBlock block = WeightBlock::one);

/// The method's scores, and only what is zero scores 0: anything else scores above it, even where
/// its gradients are all zero. Throws std::invalid_argument if a parameter or a score is not finite
/// (naming it), or there are no gradients for a method that needs them.
Scores scores(const std::vector<Units>& units, Method method, const Gradients& gradients = {});

}  // namespace edgeprune
