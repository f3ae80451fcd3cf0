#pragma once

#include <map>

#include "engine/inference/plan.h"
#include "engine/nn/network.h"

namespace edgeprune {

/// The network that distillation learns from, in evaluation mode: batch norm folded, on the dense
/// kernels of inference, which take a fraction of a training step.
class Teacher {
 public:
  /// Copies what it needs of the model. Plans for the thread count in force. Throws
  /// std::invalid_argument if it does not fit a student of that architecture (image size, classes).
  Teacher(const nn::Network& model, const Graph& student);

  /// images [batch,S,S,3], as the student sees them, to logits [batch,classes], which the next call
  /// for a batch of that size writes to again.
  const Tensor& logits(const Tensor& images);

 private:
  struct ForBatch {
    inference::Plan plan;
    Tensor logits;
    double flops = 0;
  };
  ForBatch& for_batch(int64_t images);

  inference::Graph graph_;
  int64_t classes_, side_;
  std::map<int64_t, ForBatch> by_batch_;  ///< an epoch's last batch may be smaller than the others
};

}  // namespace edgeprune
