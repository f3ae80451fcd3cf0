#pragma once

#include <span>
#include <vector>

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

/// What the targets of cross entropy are, and how much each class counts; as PyTorch's
/// CrossEntropyLoss understands both.
struct Targets {
  /// Between 0 and 1: so much of the target is shared out among all classes (Szegedy et al. 2016).
  float smoothing = 0;
  /// One a class, 0 or more; empty: all count alike.
  std::vector<float> class_weights{};
};

/// Mean over the batch of -log softmax(logits)[label]: a scalar (shape []). logits [N,K], labels N
/// values in [0,K). With class weights w each term of -log softmax(logits)[k] counts w[k] times, and the
/// mean is over the sum of w[label]. Throws std::invalid_argument on counts that differ, a label out
/// of range, or labels whose weights are all zero.
Variable cross_entropy(const Variable& logits, std::span<const int> labels,
                       const Targets& targets = {});

}  // namespace edgeprune::ops
