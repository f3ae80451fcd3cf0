#pragma once

#include <span>

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

/// Learning from labels and from a teacher (Hinton et al. 2015), a scalar (shape []):
///   (1 - alpha) * cross_entropy(logits, labels) + alpha * T^2 * KL(q || p),
/// q = softmax(teacher / T), p = softmax(logits / T), KL = sum_k q_k * log(q_k / p_k), mean over
/// the batch. T^2 keeps the size of the gradient, which 1/T shrinks twice, independent of T.
/// logits, teacher [N,K], labels N values in [0,K). Nothing flows back to the teacher. Throws
/// std::invalid_argument on counts that differ, a label out of range, or unless T > 0 and 0 <=
/// alpha <= 1.
Variable distillation(const Variable& logits, const Tensor& teacher, std::span<const int> labels,
                      float temperature, float alpha);

}  // namespace edgeprune::ops
