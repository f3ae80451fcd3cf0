#pragma once
// What helps a pruned network back to its accuracy, besides more epochs. All off by default.

#include <memory>
#include <optional>
#include <string>

#include "engine/nn/network.h"
#include "engine/optim/schedule.h"

namespace edgeprune {

/// Knowledge distillation (Hinton et al. 2015): the loss is (1 - alpha) * cross-entropy + alpha *
/// T^2 * KL(softmax(teacher / T) || softmax(student / T)). engine/ops/distillation.h
struct Distillation {
  float temperature = 4, alpha = 0.5f;
  bool operator==(const Distillation&) const = default;
};
/// "T,alpha", as in "4,0.5"; throws std::invalid_argument unless T > 0 and 0 <= alpha <= 1.
Distillation parse_distillation(const std::string& text);
std::string to_string(const Distillation& distillation);

/// Learning-rate rewinding (Renda et al. 2020): k epochs of fine-tuning replay the learning rates
/// of the last k epochs of the baseline's training, which is described here.
struct Rewinding {
  optim::Schedule::Kind schedule = optim::Schedule::Kind::constant;
  float learning_rate = 1e-3f;
  int64_t epochs = 15;
  bool operator==(const Rewinding&) const = default;
};

/// What is asked for, by the flags of the same names.
struct Recovery {
  /// Batch norm's statistics are taken anew from so many training images
  /// (tools/training/recalibrate.h): after pruning, and once more at the end of the fine-tuning,
  /// which has forgotten the first time by then. 0: off.
  int64_t bn_recalibrate = 0;
  bool rewind = false;  ///< see Rewinding; the baseline's is in the history of its checkpoints
  std::optional<Distillation> distillation = {};  ///< from the dense baseline
  std::shared_ptr<nn::Network> teacher = {};      ///< the dense baseline, if distillation is on

  /// "bn-recalibrate 1000, rewind, distill 4,0.5"; empty: nothing. (The teacher is not in it.)
  std::string to_string() const;
};

}  // namespace edgeprune
