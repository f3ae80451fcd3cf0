#pragma once

#include "data/dataset.h"
#include "engine/tensor/tensor.h"
#include "models/checkpoint.h"

namespace edgeprune {

struct LogitDifference {
  double largest = 0;        ///< of |a - b| over all images and classes; NaN if a logit is
  double largest_logit = 0;  ///< of |a|, to judge it by
  int64_t labels_changed = 0;
  /// Of these, ties: a's two logits in question are no further apart than rounding explains.
  int64_t ties = 0;
  int64_t images = 0;

  /// Whether float32 rounding explains the difference: at most 1e-4 (of the largest logit, if that
  /// is more than 1).
  bool is_rounding() const;
};

/// Of two models' or engines' logits [images,classes] for the same images.
LogitDifference compare_logits(const Tensor& a, const Tensor& b);

/// Both models on all images, with the dense engine. Throws std::invalid_argument if the models'
/// input sizes or class counts differ, std::runtime_error if memory does not suffice for the batch,
/// Interrupted on Ctrl-C.
LogitDifference compare_logits(const nn::Network& a, const nn::Network& b, const ModelInfo& info,
                               const Dataset& dataset, int64_t batch = 100);

}  // namespace edgeprune
