#pragma once
// What training leaves in a checkpoint's history, and what later training reads there.

#include "engine/base/json.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// Those options, under the names of their flags, that are off by default: an older history or state,
/// which names none, is one without.
nlohmann::json refinements(const TrainOptions& options);

/// The entry of one training, {"step": "train", "epochs": ..., "schedule": ..., ...}: everything
/// that decided it, and what came of it: "accuracy" is the chosen epoch's on its training images,
/// as a fraction, and "validation" of those held out.
nlohmann::json training_step(const TrainOptions& options, const TrainResult& result,
                             const std::string& parent_sha256, const Dataset& training,
                             const Dataset* validation = nullptr);

/// The baseline's training: the last one of the history in front of the first pruning. Throws
/// std::invalid_argument if there is none. (Histories older than the "schedule" entry are of
/// constant rates unless someone knows better.)
Rewinding baseline_training(const nlohmann::json& history);

/// The options of a fine-tuning with this recovery, of a model with this history; the batch-norm
/// recalibration among them is the one behind the training. Throws std::invalid_argument if
/// distillation has no teacher, or there is no baseline in the history to rewind to, or it had
/// fewer epochs than options.epochs.
TrainOptions with_recovery(TrainOptions options, const Recovery& recovery,
                           const nlohmann::json& history);

/// For people, in one line, what rewinding will do: "rewinding: epochs 11 to 15 of the baseline's
/// 15, cosine from 0.001".
std::string describe(const Rewinding& rewinding, int64_t epochs);

}  // namespace edgeprune
