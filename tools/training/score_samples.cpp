#include "tools/training/score_samples.h"

#include <memory>
#include <vector>

#include "data/loader.h"
#include "engine/base/check.h"
#include "engine/ops/cross_entropy.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/progress.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/memory.h"

namespace edgeprune {
namespace {

constexpr int64_t kScoreBatch = 32;

/// While it lives, the network is in evaluation mode and its gradients are its user's. Then both are
/// as they were.
class BorrowedGradients {
 public:
  explicit BorrowedGradients(nn::Network& model)
      : model_(model), training_(model.training()), parameters_(model.parameters()) {
    for (const NamedVariable& parameter : parameters_) before_.push_back(parameter.variable.grad());
    model.train(false);
    clear();
  }
  ~BorrowedGradients() {
    model_.train(training_);
    clear();
    for (size_t i = 0; i < before_.size(); ++i) {
      if (before_[i].defined()) parameters_[i].variable.backward(before_[i]);
    }
  }
  BorrowedGradients(const BorrowedGradients&) = delete;
  BorrowedGradients& operator=(const BorrowedGradients&) = delete;

  void clear() {
    for (NamedVariable& parameter : parameters_) parameter.variable.clear_grad();
  }

 private:
  nn::Network& model_;
  bool training_;
  std::vector<NamedVariable> parameters_;
  std::vector<Tensor> before_;
};

void measure(nn::Network& model, const ModelInfo& info, const Dataset& images, uint64_t seed,
             const std::function<void()>& after_batch) {
  Loader loader(images, {.batch = std::min(kScoreBatch, images.size()),
                         .input_size = static_cast<int>(model.graph().input_size()),
                         .normalisation = {info.mean, info.std},
                         .shuffle = true,
                         .augmentation = {},
                         .seed = seed});
  BorrowedGradients gradients(model);
  Progress progress("scores", images.size(), "images");
  Batch batch;
  loader.start_epoch(0);
  while (loader.next(batch)) {
    throw_if_interrupted();
    gradients.clear();
    Rng unused(seed);
    Variable loss = ops::cross_entropy(model.forward(Variable(batch.input), unused), batch.labels);
    loss.backward();
    after_batch();
    progress.advance(std::ssize(batch.labels));
  }
}

}  // namespace

Samples score_samples(Method method, const ModelInfo& info, const Dataset& training, int64_t images,
                      uint64_t seed) {
  if (!needs_images(method)) return {};
  require_same_classes(info.classes, training);
  require(images > 0, "prune", "expected images to measure scores on, got {}", images);
  const auto some =
      std::make_shared<const Dataset>(limit(training, std::min(images, training.size()), seed));
  return [=](nn::Network& model, const std::function<void()>& after_batch) {
    explain_bad_alloc("prune", fmt::format("batches of {} images", kScoreBatch),
                      [&] { measure(model, info, *some, seed, after_batch); });
  };
}

}  // namespace edgeprune
