#pragma once

#include "engine/inference/plan.h"
#include "models/mobilenet_v2.h"

namespace edgeprune {

/// The network that distillation learns from, in evaluation mode: batch norm folded, on the dense
/// kernels of inference, which take a fraction of a training step.
class Teacher {
 public:
  /// Copies what it needs of the model. Plans for the thread count in force. Throws
  /// std::invalid_argument if it does not fit a student of that architecture (image size, classes).
  Teacher(const MobileNetV2& model, const Architecture& student, int64_t batch);

  /// images [batch,S,S,3], as the student sees them, to logits [batch,classes], which the next call
  /// writes to again.
  const Tensor& logits(const Tensor& images);

 private:
  inference::Plan plan_;
  double flops_ = 0;  ///< an image
  Tensor logits_;
};

}  // namespace edgeprune
