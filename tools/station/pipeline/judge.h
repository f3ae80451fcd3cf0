#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/preprocess.h"
#include "engine/inference/plan.h"
#include "models/checkpoint.h"
#include "tools/station/decision/policy.h"
#include "tools/station/item.h"

namespace edgeprune::station {

/// What one image came to.
struct Judgement {
  Decision decision;
  std::vector<float> probabilities;  ///< [classes], calibrated
  Instant preprocessed, inferred;
};

/// A network with its policy, planned for single images on one engine. Keeps buffers between calls: for one thread
/// at a time.
class Judge {
 public:
  /// Plans, and judges a grey image once, so that the first item is as fast as the others. Throws
  /// std::invalid_argument if the policy is of other classes, or a layer is none that the engine knows.
  Judge(const Checkpoint& checkpoint, Policy policy, inference::Engine engine, int threads);

  /// Any size of image: it is resized as the model was trained. Never throws for what an image holds.
  Judgement operator()(const Image& image);

  const std::string& model() const {
    return model_;
  }  ///< the first 16 hex digits of its file's SHA-256
  const Policy& policy() const { return policy_; }
  int64_t input_size() const { return input_size_; }

 private:
  Policy policy_;
  std::string model_;
  int threads_;
  int64_t input_size_;
  Resize resize_;
  std::unique_ptr<inference::Plan> plan_;
  Preprocessor preprocess_;
  Tensor input_, logits_;
};

}  // namespace edgeprune::station
