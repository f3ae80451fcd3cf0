#pragma once
// All steps of a pruning schedule, with a state on disk between them and a guard.

#include "tools/training/pruning_run.h"

namespace edgeprune {

struct Trajectory {
  std::vector<PruningStep> steps;
  PruneAndTune each;        ///< every step's, its prune.step aside
  double min_accuracy = 0;  ///< on `test`, after each step's fine-tuning; fraction; 0: no guard
  /// Where the run keeps itself: STATE.steps (what the run is and what is finished), STATE.stepN
  /// (the model after step N), STATE.stepN.state (training in step N). Empty: nowhere.
  std::string state;
  bool resume = false;  ///< go on from there, if there is anything
};

struct TrajectoryStep {
  PruningStep step;
  double accuracy_before = 0, accuracy = 0;  ///< on `test`, before and after fine-tuning; fractions
  double seconds = 0;                        ///< of training
  int64_t nonzero_parameters = 0, nonzero_prunable = 0, nonzero_multiply_adds = 0;  ///< left
  bool kept = true;  ///< false: the guard stopped here
};

/// The model after each step if nothing is trained in between, without changing it: how many will
/// go in all, if not which. Throws what prune() throws: limits that cannot be met are found out
/// before anything trains. `samples` are for methods that need images. `on_step` gets the step's
/// number, from 0, and the models before and after.
void plan_trajectory(
    const nn::Network& model, const Trajectory& trajectory, const Samples& samples,
    const std::function<void(size_t, const nn::Network&, const nn::Network&)>& on_step);

/// Runs what is not finished. The checkpoint ends with the last model that is at least
/// min_accuracy, as it was if already the first step's is not; with the same arguments it is the
/// same one, bit for bit, however often the run was stopped. Returns all steps done, the one that
/// the guard refused included; `say` hears what comes of each. Throws std::invalid_argument if the
/// model is below min_accuracy to begin with, or the state is of another run; FileError if it is
/// damaged; what prune_and_tune() throws; Interrupted.
std::vector<TrajectoryStep> run_trajectory(Checkpoint& checkpoint, const Trajectory& trajectory,
                                           const Dataset& training, const Dataset& test,
                                           const std::function<void(const std::string&)>& say);

/// For the caller to call once the result is saved.
void remove_state(const Trajectory& trajectory);

}  // namespace edgeprune
