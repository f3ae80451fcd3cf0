#include "tools/training/pruning_trajectory.h"

#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "models/copy_model.h"
#include "models/summary.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/train_state.h"
#include "tools/training/training_history.h"

namespace edgeprune {

// What the state keeps of a finished step; the step itself is in the trajectory.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrajectoryStep, accuracy_before, accuracy, seconds,
                                   nonzero_parameters, nonzero_prunable, nonzero_multiply_adds)

namespace {

namespace fs = std::filesystem;

/// Where a trajectory keeps itself.
struct Paths {
  std::string state;
  std::string steps() const { return state + ".steps"; }
  std::string model(size_t step) const { return fmt::format("{}.step{}", state, step); }
  std::string training(size_t step) const {
    return state.empty() ? "" : fmt::format("{}.step{}.state", state, step);
  }
};

/// All that decides what a trajectory computes: its first training and what is around it.
nlohmann::json identity_of(const Checkpoint& checkpoint, const Trajectory& trajectory,
                           const Dataset& training, const Dataset& test) {
  const PruneAndTune& each = trajectory.each;
  TrainOptions options = each.training;
  if (options.epochs > 0) {
    options = with_recovery(options, each.recovery, checkpoint.info.history);
  }
  nlohmann::json steps = nlohmann::json::array();
  for (const PruningStep& step : trajectory.steps) {
    steps.push_back({step.fraction, to_string(step.base)});
  }
  nlohmann::json pruning = pruning_entry(each, "");
  pruning.erase("sparsity");  // the steps'
  nlohmann::json identity = run_identity(*checkpoint.model, training, &test, {}, options);
  identity.update({{"model", checkpoint.sha256},
                   {"steps", steps},
                   {"pruning", pruning},
                   {"recovery", each.recovery.to_string()},
                   {"minimum accuracy", trajectory.min_accuracy}});
  return identity;
}

class Run {
 public:
  Run(Checkpoint& checkpoint, const Trajectory& trajectory, const Dataset& training,
      const Dataset& test, const std::function<void(const std::string&)>& say)
      : checkpoint_(checkpoint),
        trajectory_(trajectory),
        training_(training),
        test_(test),
        say_(say),
        paths_{trajectory.state} {
    if (!trajectory.state.empty()) identity_ = identity_of(checkpoint, trajectory, training, test);
    if (trajectory.resume && !trajectory.state.empty() && fs::exists(paths_.steps())) {
      load();
    } else {
      if (trajectory.min_accuracy > 0) require_good_start();
      save_progress();
    }
  }

  std::vector<TrajectoryStep> run() {
    while (done_.size() < trajectory_.steps.size()) {
      Checkpoint good{copy_of(*checkpoint_.model), checkpoint_.info, checkpoint_.sha256};
      done_.push_back(take_step(done_.size()));
      if (!done_.back().kept) {
        checkpoint_ = std::move(good);
        break;
      }
      save_step();
    }
    return done_;
  }

 private:
  std::string label(size_t step) const {
    const size_t steps = trajectory_.steps.size();
    return steps == 1 ? "" : fmt::format("step {}/{}: ", step + 1, steps);
  }

  Evaluation evaluation() const {
    return evaluate(*checkpoint_.model, checkpoint_.info, test_, inference::Engine::dense);
  }

  void require_good_start() const {
    const double start = evaluation().accuracy;
    require(start >= trajectory_.min_accuracy, "prune",
            "the model's accuracy is {:.2f} % on the {} images held out, below the minimum of "
            "{:.2f} % before anything is pruned",
            100 * start, test_.size(), 100 * trajectory_.min_accuracy);
  }

  TrajectoryStep take_step(size_t index) {
    PruneAndTune request = trajectory_.each;
    request.prune.step = trajectory_.steps[index];
    const std::string prefix = label(index);
    const PruneAndTuneResult result = prune_and_tune(
        checkpoint_, request, training_, test_, {paths_.training(index + 1), trajectory_.resume},
        [&](const EpochResult& e) {
          say_(fmt::format(
              "{}epoch {}/{}, loss {:.4f}, training accuracy {:.2f} %, {:.0f} images/s", prefix,
              e.epoch, request.training.epochs, e.loss, 100 * e.accuracy, e.images_per_second));
        },
        [&](const std::string& line) { say_(prefix + line); });
    const ModelSummary left = summarize(*checkpoint_.model);
    const Evaluation tuned = evaluation();
    TrajectoryStep step{.step = trajectory_.steps[index],
                        .accuracy_before = result.accuracy_before,
                        .accuracy = tuned.accuracy,
                        .seconds = result.training.seconds,
                        .nonzero_parameters = left.nonzero_parameters,
                        .nonzero_prunable = left.nonzero_prunable,
                        .nonzero_multiply_adds = left.nonzero_multiply_adds};
    step.kept = trajectory_.min_accuracy <= 0 || step.accuracy >= trajectory_.min_accuracy;
    say_(
        fmt::format("{}accuracy {:.2f} % on {} images", prefix, 100 * step.accuracy, test_.size()));
    report_warning(tuned.warning, request.strict,
                   [&](const std::string& line) { say_(prefix + line); });
    return step;
  }

  /// The model first: the list of steps never names one that is not there.
  void save_step() {
    if (paths_.state.empty()) return;
    const size_t step = done_.size();
    save_checkpoint(paths_.model(step), *checkpoint_.model, checkpoint_.info);
    save_progress();
    fs::remove(paths_.training(step));
    fs::remove(paths_.model(step - 1));
  }

  void save_progress() {
    if (paths_.state.empty()) return;
    write_file_atomically(
        paths_.steps(),
        nlohmann::json{{"identity", identity_}, {"finished", done_}}.dump(2) + "\n");
  }

  void load() {
    const std::string path = paths_.steps();
    const std::vector<char> text = read_file(path);
    const auto json = parse_json({text.data(), text.size()}, path + ": damaged");
    require_file(json.is_object() && json.contains("identity") && json.contains("finished") &&
                     json.at("finished").is_array(),
                 path, "damaged");
    for (const auto& [key, value] : identity_.items()) {
      require(json.at("identity").contains(key) && json.at("identity").at(key) == value, "resume",
              "{} is the state of another run: its {} differ{} (remove it, or start without "
              "resuming)",
              path, key, key.ends_with('s') ? "" : "s");
    }
    try {
      json.at("finished").get_to(done_);
    } catch (const nlohmann::json::exception& error) {
      throw FileError(fmt::format("{}: damaged: {}", path, error.what()));
    }
    require_file(done_.size() <= trajectory_.steps.size(), path,
                 "damaged: {} steps are finished, the run has {}", done_.size(),
                 trajectory_.steps.size());
    for (size_t i = 0; i < done_.size(); ++i) done_[i].step = trajectory_.steps[i];
    if (done_.empty()) return;
    checkpoint_ = load_checkpoint(paths_.model(done_.size()));
    checkpoint_.sha256.clear();  // as behind prune_and_tune()
    say_(fmt::format("going on behind step {} of {}", done_.size(), trajectory_.steps.size()));
  }

  Checkpoint& checkpoint_;
  const Trajectory& trajectory_;
  const Dataset& training_;
  const Dataset& test_;
  const std::function<void(const std::string&)>& say_;
  const Paths paths_;
  nlohmann::json identity_;
  std::vector<TrajectoryStep> done_;
};

}  // namespace

void plan_trajectory(
    const nn::Network& model, const Trajectory& trajectory, const Samples& samples,
    const std::function<void(size_t, const nn::Network&, const nn::Network&)>& on_step) {
  auto before = copy_of(model);
  for (size_t i = 0; i < trajectory.steps.size(); ++i) {
    PruneRequest request = trajectory.each.prune;
    request.step = trajectory.steps[i];
    auto after = prune(copy_of(*before), request, samples).model;
    on_step(i, *before, *after);
    before = std::move(after);
  }
}

std::vector<TrajectoryStep> run_trajectory(Checkpoint& checkpoint, const Trajectory& trajectory,
                                           const Dataset& training, const Dataset& test,
                                           const std::function<void(const std::string&)>& say) {
  return Run(checkpoint, trajectory, training, test, say).run();
}

void remove_state(const Trajectory& trajectory) {
  const Paths paths{trajectory.state};
  if (paths.state.empty()) return;
  fs::remove(paths.steps());
  for (size_t step = 1; step <= trajectory.steps.size(); ++step) {
    fs::remove(paths.model(step));
    fs::remove(paths.training(step));
  }
}

}  // namespace edgeprune
