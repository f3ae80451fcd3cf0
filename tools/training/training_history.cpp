#include "tools/training/training_history.h"

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {

nlohmann::json refinements(const TrainOptions& options) {
  nlohmann::json json = nlohmann::json::object();
  if (options.label_smoothing > 0) json["label_smoothing"] = options.label_smoothing;
  if (options.balanced_classes) json["class_weights"] = "balanced";
  if (options.warm_up > 0) json["warm_up"] = options.warm_up;
  if (options.patience > 0) json["patience"] = options.patience;
  if (!options.mean.empty()) json["mean"] = options.mean;
  if (!options.std.empty()) json["std"] = options.std;
  if (options.augmentation.colour > 0) json["colour"] = options.augmentation.colour;
  if (options.augmentation.rotation > 0) json["rotation"] = options.augmentation.rotation;
  if (options.qat) {
    json["qat"] = {{"images", options.qat->images},
                   {"observer", name_of(kObservers, options.qat->observer)}};
  }
  return json;
}

nlohmann::json training_step(const TrainOptions& options, const TrainResult& result,
                             const std::string& parent_sha256, const Dataset& training,
                             const Dataset* validation) {
  nlohmann::json step = {{"step", "train"},
                         {"epochs", options.epochs},
                         {"chosen_epoch", result.chosen_epoch},
                         {"optimizer", options.optimizer},
                         {"learning_rate", options.learning_rate},
                         {"schedule", optim::to_string(options.schedule)},
                         {"weight_decay", options.weight_decay},
                         {"batch", options.batch},
                         {"seed", options.seed},
                         {"parent", parent_sha256},
                         {"data", as_utf8(training.source)},
                         {"split", to_string(Split::train)},
                         {"images", training.size()}};
  step.update(refinements(options));
  if (result.chosen_epoch > 0) {
    const EpochResult& chosen = result.epochs.at(static_cast<size_t>(result.chosen_epoch - 1));
    step["accuracy"] = chosen.accuracy;
    if (chosen.validation_accuracy && validation != nullptr) {
      step["validation"] = {{"images", validation->size()},
                            {"accuracy", *chosen.validation_accuracy}};
    }
  }
  if (std::ssize(result.epochs) < options.epochs) step["stopped_after"] = result.epochs.size();
  if (options.bn_recalibrate > 0) step["bn_recalibrate"] = options.bn_recalibrate;
  if (options.distillation) step["distill"] = to_string(*options.distillation);
  if (options.rewinding) {
    step["rewind"] = {{"epochs", options.rewinding->epochs},
                      {"learning_rate", options.rewinding->learning_rate},
                      {"schedule", optim::to_string(options.rewinding->schedule)}};
  }
  return step;
}

Rewinding baseline_training(const nlohmann::json& history) {
  const nlohmann::json* training = nullptr;
  for (const auto& step : history) {
    const std::string kind = step.value("step", "");
    if (kind == "prune") break;
    if (kind == "train" && step.value("epochs", 0) > 0) training = &step;
  }
  require(training != nullptr, "rewind",
          "the model's history names no training in front of its pruning: there is no learning "
          "rate to go back to");
  Rewinding rewinding;
  rewinding.epochs = training->at("epochs");
  rewinding.learning_rate = training->at("learning_rate");
  rewinding.schedule = optim::parse_schedule(training->value("schedule", "constant"));
  return rewinding;
}

TrainOptions with_recovery(TrainOptions options, const Recovery& recovery,
                           const nlohmann::json& history) {
  options.bn_recalibrate = recovery.bn_recalibrate;
  options.distillation = recovery.distillation;
  options.teacher = recovery.distillation ? recovery.teacher : nullptr;
  require(!options.distillation || options.teacher != nullptr, "distill",
          "there is no teacher to learn from");
  if (recovery.rewind) {
    options.rewinding = baseline_training(history);
    require(options.epochs <= options.rewinding->epochs, "rewind",
            "{} epochs cannot replay the last ones of a baseline that was trained for {}",
            options.epochs, options.rewinding->epochs);
  }
  return options;
}

std::string describe(const Rewinding& rewinding, int64_t epochs) {
  if (rewinding.schedule == optim::Schedule::Kind::constant) {
    return fmt::format("rewinding: the baseline's learning rate was constant, {}, so it is again",
                       rewinding.learning_rate);
  }
  return fmt::format("rewinding: learning rates of epochs {} to {} of the baseline, {} from {}",
                     rewinding.epochs - epochs + 1, rewinding.epochs,
                     optim::to_string(rewinding.schedule), rewinding.learning_rate);
}

}  // namespace edgeprune
