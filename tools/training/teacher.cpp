#include "tools/training/teacher.h"

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

const nn::Network& fitting(const nn::Network& model, const Graph& student) {
  const Graph& own = model.graph();
  require(own.input_size() == student.input_size() && own.classes() == student.classes(), "distill",
          "the teacher has {} classes of {}x{} images, the student {} of {}x{}", own.classes(),
          own.input_size(), own.input_size(), student.classes(), student.input_size(),
          student.input_size());
  return model;
}

}  // namespace

Teacher::Teacher(const nn::Network& model, const Graph& student)
    : graph_(fold_batch_norm(fitting(model, student))),
      classes_(student.classes()),
      side_(student.input_size()) {}

Teacher::ForBatch& Teacher::for_batch(int64_t images) {
  const auto found = by_batch_.find(images);
  if (found != by_batch_.end()) return found->second;
  ForBatch made{inference::Plan(graph_, inference::Engine::dense, images),
                Tensor({images, classes_})};
  for (const inference::StepInfo& step : made.plan.steps()) made.flops += step.flops;
  made.flops *= double(images);
  return by_batch_.emplace(images, std::move(made)).first->second;
}

const Tensor& Teacher::logits(const Tensor& images) {
  require(images.shape().rank() == 4 && images.dim(0) > 0 &&
              images.count() == images.dim(0) * side_ * side_ * 3,
          "distill", "the teacher expects images of {}x{}, got {}", side_, side_,
          images.shape().to_string());
  ForBatch& own = for_batch(images.dim(0));
  const Timed timed("teacher", Phase::forward, {own.flops, sizeof(float) * double(images.count())});
  own.plan.run(images.data(), own.logits.data());
  return own.logits;
}

}  // namespace edgeprune
