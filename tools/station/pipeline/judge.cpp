#include "tools/station/pipeline/judge.h"

#include <utility>

#include "data/resize.h"
#include "engine/base/parallel.h"
#include "tools/measurement/kernel_cache.h"

namespace edgeprune::station {

Judge::Judge(const Checkpoint& checkpoint, Policy policy, inference::Engine engine, int threads)
    : policy_(std::move(policy)),
      model_(checkpoint.sha256.substr(0, 16)),
      threads_(threads),
      input_size_(checkpoint.model->graph().input_size()),
      resize_(checkpoint.info.resize),
      preprocess_(static_cast<int>(input_size_), {checkpoint.info.mean, checkpoint.info.std}),
      input_({1, input_size_, input_size_, 3}),
      logits_({1, static_cast<int64_t>(policy_.classes.size())}) {
  require_same_classes(policy_, checkpoint.info.classes);
  const ThreadScope scope(threads_);
  plan_ = std::make_unique<inference::Plan>(inference_graph(*checkpoint.model, checkpoint.info),
                                            engine, 1, &kernel_choices());
  const int side = static_cast<int>(input_size_);
  (*this)({side, side, std::vector<uint8_t>(size_t{3} * side * side, 128)});
}

Judgement Judge::operator()(const Image& image) {
  const ThreadScope scope(threads_);
  Judgement judgement;
  preprocess_(fit(image, resize_, static_cast<int>(input_size_)), input_.values());
  judgement.preprocessed = Clock::now();
  plan_->run(input_.data(), logits_.data());
  judgement.inferred = Clock::now();
  judgement.decision = decide(logits_.values(), policy_);
  if (judgement.decision.reason == Reason::fault) return judgement;
  judgement.probabilities = probabilities(logits_.values(), policy_.temperature);
  return judgement;
}

}  // namespace edgeprune::station
