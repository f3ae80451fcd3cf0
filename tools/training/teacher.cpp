#include "tools/training/teacher.h"

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

const MobileNetV2& fitting(const MobileNetV2& model, const Architecture& student) {
  const Architecture& own = model.architecture();
  require(own.input_size == student.input_size && own.classes == student.classes, "distill",
          "the teacher has {} classes of {}x{} images, the student {} of {}x{}", own.classes,
          own.input_size, own.input_size, student.classes, student.input_size, student.input_size);
  return model;
}

}  // namespace

Teacher::Teacher(const MobileNetV2& model, const Architecture& student, int64_t batch)
    : plan_(fold_batch_norm(fitting(model, student)), inference::Engine::dense, batch),
      logits_({batch, student.classes}) {
  for (const inference::StepInfo& step : plan_.steps()) flops_ += step.flops;
}

const Tensor& Teacher::logits(const Tensor& images) {
  require(images.count() == plan_.batch() * plan_.image_size(), "distill",
          "the teacher expects {} images, got {}", plan_.batch(), images.shape().to_string());
  const Timed timed("teacher", Phase::forward,
                    {flops_ * double(plan_.batch()), sizeof(float) * double(images.count())});
  plan_.run(images.data(), logits_.data());
  return logits_;
}

}  // namespace edgeprune
