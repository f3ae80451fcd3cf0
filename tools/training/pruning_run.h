#pragma once
// One step of any pruning regime: prune, recalibrate, fine-tune.

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/training/recovery.h"
#include "tools/training/score_samples.h"
#include "tools/training/trainer.h"

namespace edgeprune {

struct PruneAndTune {
  PruneRequest prune = {};
  Recovery recovery = {};
  TrainOptions training = {};                            ///< epochs in it; 0: no fine-tuning
  PruningSchedule schedule = PruningSchedule::one_shot;  ///< that the step is part of: for history
  const Dataset* validation = nullptr;  ///< for train(): to choose the best epoch; none: the last
  bool strict = false;  ///< throw std::runtime_error where an evaluation has a warning
  int64_t score_images = kScoreImages;  ///< that scores are measured on, if the method needs some
};

struct PruneAndTuneResult {
  /// On `test`, after pruning and recalibration, before fine-tuning; fraction.
  double accuracy_before = 0;
  TrainResult training;
};

/// What the history says about a pruning. Scores are measured on request.score_images of the
/// training images, chosen by request.training.seed.
nlohmann::json pruning_entry(const PruneAndTune& request, const std::string& parent_sha256);

/// Prunes checkpoint.model (it may become a smaller one), recalibrates its batch norms, fine-tunes
/// with the masks held, and appends both to checkpoint.info.history; checkpoint.sha256 is then
/// empty, as there is no file of it yet. The same arguments with state.resume go on with a run that
/// was stopped. `say` hears in a line each what was pruned and how learning rates rewind. Throws
/// what prune(), recalibrate_batch_norm(), with_recovery() and train() throw; checkpoint is not to
/// be used then.
PruneAndTuneResult prune_and_tune(Checkpoint& checkpoint, const PruneAndTune& request,
                                  const Dataset& training, const Dataset& test,
                                  const TrainState& state, const EpochCallback& on_epoch,
                                  const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
