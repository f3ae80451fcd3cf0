#include "tools/study/study.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/measurement/machine.h"
#include "tools/study/study_folder.h"
#include "tools/study/study_row.h"
#include "tools/study/study_settings.h"
#include "tools/training/calibration.h"
#include "tools/training/pruning_run.h"
#include "tools/training/quantized_training.h"
#include "tools/training/starting_point.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

std::shared_ptr<const inference::Graph> graph_of(const nn::Network& model, const ModelInfo& info) {
  return std::make_shared<const inference::Graph>(inference_graph(model, info));
}

std::shared_ptr<const inference::Graph> graph_of(const Checkpoint& checkpoint) {
  return graph_of(*checkpoint.model, checkpoint.info);
}

using Say = std::function<void(const std::string&)>;

class Study {
 public:
  Study(const StudyPlan& plan, const StudyOptions& options, const Say& say)
      : plan_(plan),
        options_(options),
        say_(say),
        steps_(study_steps(plan, options.seeds)),
        data_(open_data(plan, options, say)),
        settings_(settings_of(plan, options, data_)),
        folder_(options.folder) {
    folder_.claim(settings_, options.resume, about_study(plan, options, data_));
    for (const RunRecord& record : folder_.records()) finished_.insert(record.id);
  }

  void run() {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const StudyStep& step = steps_[i];
      const auto label = fmt::format("[{}/{}] {}", i + 1, steps_.size(), step.id);
      if (!needs(step)) {
        say_(label + ": finished before");
        continue;
      }
      if (!folder_.has_model(step.id)) {
        if (finished_.contains(step.id)) {
          say_(label + ": its checkpoint is gone and others need it: it is made again");
        }
        make_model(step, label);
      }
      if (wants_row(step)) finish_row(step, label);
    }
  }

 private:
  bool wants_row(const StudyStep& step) const { return step.row && !finished_.contains(step.id); }

  /// Whether its model is: for its row, or to make another one from; the unpruned network's also to
  /// teach others, and to be timed with them. (Who removes the models of finished rows, to have
  /// room, does not get them again.)
  bool needs(const StudyStep& step) const {
    return wants_row(step) || std::any_of(steps_.begin(), steps_.end(), [&](const StudyStep& next) {
             const bool made_from = next.parent == step.id && !folder_.has_model(next.id);
             const bool beside = next.seed == step.seed && ((step.is_baseline() && next.prune) ||
                                                            is_integer_reference(step, next));
             return (made_from || beside) && needs(next);
           });
  }

  /// Whether the second one's model, if both are quantised, is timed beside the first one's.
  static bool is_integer_reference(const StudyStep& step, const StudyStep& next) {
    return step.quantize && !step.prune && next.quantize && next.prune && step.seed == next.seed;
  }

  void make_model(const StudyStep& step, const std::string& label) {
    if (!step.quantize) return train_model(step, label);
    *step.quantize == Quantizing::qat ? train_for_integers(step, label) : quantize_parent(step);
  }

  /// Loads the parent, quantises, saves.
  void quantize_parent(const StudyStep& step) {
    const Checkpoint parent = load_checkpoint(folder_.model_path(step.parent));
    const Checkpoint model = quantized(parent, plan_.calibration_images, step.seed);
    StepTraining done = folder_.load_training(step.parent);
    done.parent_sha256 = parent.sha256;
    folder_.save_training(step.id, done);
    save_checkpoint(folder_.model_path(step.id), *model.model, model.info);
  }

  /// Loads the parent, trains it on with rounded numbers, saves.
  void train_for_integers(const StudyStep& step, const std::string& label) {
    Checkpoint model = load_checkpoint(folder_.model_path(step.parent));
    StepTraining done;
    if (!is_baseline(step.parent)) done = folder_.load_training(step.parent);
    done.parent_sha256 = model.sha256;
    TrainOptions training = training_of(step);
    training.learning_rate = plan_.qat_learning_rate;
    training.qat = {plan_.calibration_images, plan_.calibration.observer};
    const TrainState state{folder_.state_path(step.id), true};
    const TrainResult result =
        train_quantized(model, data_.finetuning, validation(), training, state, saying(step, label),
                        [&](const std::string& line) { say_(line); });
    save(step, model, result, done);
  }

  TrainOptions training_of(const StudyStep& step) const {
    TrainOptions training = plan_.training;
    training.epochs = step.epochs;
    training.seed = step.seed;
    return training;
  }

  EpochCallback saying(const StudyStep& step, const std::string& label) const {
    return [this, label, epochs = step.epochs](const EpochResult& epoch) {
      say_(fmt::format("{}: epoch {}/{}, loss {:.3f}, training accuracy {:.1f} %, {:.0f} images/s",
                       label, epoch.epoch, epochs, epoch.loss, 100 * epoch.accuracy,
                       epoch.images_per_second));
    };
  }

  void save(const StudyStep& step, const Checkpoint& model, const TrainResult& result,
            StepTraining& done) {
    add(result, done);
    folder_.save_training(step.id, done);
    save_checkpoint(folder_.model_path(step.id), *model.model, model.info);
    std::filesystem::remove(folder_.state_path(step.id));
  }

  /// By images to train on: the test images decide no range.
  Checkpoint quantized(const Checkpoint& model, int64_t images, uint64_t seed) const {
    const Dataset some = limit(data_.finetuning, std::min(images, data_.finetuning.size()), seed);
    return quantized_checkpoint(model, some, plan_.calibration);
  }

  /// Loads the parent, prunes, trains, saves.
  void train_model(const StudyStep& step, const std::string& label) {
    Wanted start = wanted(plan_, options_);
    start.seed = step.seed;
    Checkpoint model =
        step.prune ? load_checkpoint(folder_.model_path(step.parent))
                   : StartingPoint(options_.weights, start).start(data_.training.classes, say_);
    if (!step.prune) {
      model.info.resize = options_.resize;
      take_normalisation(model.info, plan_.training);
      // What cannot be quantised throws now, not after hours.
      if (quantizes(plan_)) quantized(model, 2, step.seed);
    }
    StepTraining done;
    if (step.prune && !is_baseline(step.parent)) done = folder_.load_training(step.parent);
    if (step.prune) done.parent_sha256 = model.sha256;
    const TrainOptions training = training_of(step);
    const TrainState state{folder_.state_path(step.id), true};
    const EpochCallback on_epoch = saying(step, label);
    TrainResult result;
    if (step.prune) {
      const PruneAndTune request{*step.prune,  with_teacher(step), training,         step.schedule,
                                 validation(), options_.strict,    step.score_images};
      const Say say = [&](const std::string& line) { say_(label + ": " + line); };
      PruneAndTuneResult tuned =
          prune_and_tune(model, request, data_.finetuning, data_.test, state, on_epoch, say);
      done.accuracy_before = tuned.accuracy_before;
      result = std::move(tuned.training);
    } else {
      result = train(*model.model, model.info, data_.training, validation(),
                     zeros_to_keep(model, say_), training, state, on_epoch);
      model.info.history.push_back(
          training_step(training, result, model.sha256, data_.training, validation()));
    }
    save(step, model, result, done);
  }

  /// Nothing if none are held out.
  const Dataset* validation() const {
    return data_.validation.size() > 0 ? &data_.validation : nullptr;
  }

  static void add(const TrainResult& result, StepTraining& done) {
    done.epochs = std::ssize(result.epochs);
    done.seconds = result.seconds;
    done.seconds_spent += result.seconds;
    for (const EpochResult& epoch : result.epochs) {
      done.curve.push_back({++done.epochs_spent, epoch.loss, epoch.accuracy});
    }
  }

  bool is_baseline(const std::string& id) const {
    return std::any_of(steps_.begin(), steps_.end(),
                       [&](const StudyStep& step) { return step.id == id && step.is_baseline(); });
  }

  /// The unpruned network of the step's seed.
  std::shared_ptr<nn::Network> baseline_of(const StudyStep& step) {
    const auto baseline = std::ranges::find_if(steps_, [&](const StudyStep& other) {
      return other.is_baseline() && other.seed == step.seed;
    });
    auto& model = baselines_[baseline->id];
    if (!model) model = load_checkpoint(folder_.model_path(baseline->id)).model;
    return model;
  }

  /// Of the step's seed, too.
  References references_of(const StudyStep& step) {
    References references{graph_of(*baseline_of(step), {}), nullptr};
    const auto integers = std::ranges::find_if(
        steps_, [&](const StudyStep& other) { return is_integer_reference(other, step); });
    if (integers != steps_.end()) {
      references.integers =
          graph_of(load_checkpoint(folder_.model_path(integers->id), {.quantized = true}));
    }
    return references;
  }

  /// The step's recovery, with its seed's baseline to learn from.
  Recovery with_teacher(const StudyStep& step) {
    Recovery recovery = step.recovery;
    if (recovery.distillation) recovery.teacher = baseline_of(step);
    return recovery;
  }

  /// Evaluates and times a finished model, and appends its row.
  void finish_row(const StudyStep& step, const std::string& label) {
    const std::string path = folder_.model_path(step.id);
    const Checkpoint checkpoint = load_checkpoint(path, {.quantized = true});
    const Evaluation evaluation =
        evaluate(*checkpoint.model, checkpoint.info, data_.test,
                 step.quantize ? inference::Engine::int8 : inference::Engine::dense);
    report_warning(evaluation.warning, options_.strict,
                   [&](const std::string& line) { say_(label + ": " + line); });
    RunRecord record = step.quantize ? describe_quantized(finished_row(step.parent), checkpoint,
                                                          path, data_.test, evaluation)
                                     : describe_model(checkpoint, path, data_.test, evaluation);
    describe_step(record, step);
    record.checkpoint = std::filesystem::path(path).lexically_relative(options_.folder);
    record.latency =
        measure_model(graph_of(checkpoint), references_of(step), plan_, options_.threads);
    append_record(folder_.runs_path(), record);
    finished_.insert(step.id);
    say_(fmt::format("{}: accuracy {:.2f} %, sparsity {:.1f} %", label, 100 * record.accuracy,
                     100 * record.sparsity()));
  }

  RunRecord finished_row(const std::string& id) const {
    const std::vector<RunRecord> records = folder_.records();
    const auto found = std::ranges::find(records, id, &RunRecord::id);
    if (found == records.end()) throw std::logic_error("[study] there is no row " + id);
    return *found;
  }

  /// What a row says of how its model came to be.
  void describe_step(RunRecord& record, const StudyStep& step) const {
    const StepTraining training = folder_.load_training(step.id);
    record.id = step.id;
    record.row = step.name;
    record.quantization = step.quantize ? name_of(kQuantizings, *step.quantize) : "";
    record.method = step.prune ? to_string(step.prune->method) : "none";
    record.mode = step.prune ? to_string(step.prune->mode) : "none";
    record.schedule = step.prune ? to_string(step.schedule) : "none";
    record.recovery = step.recovery.to_string();
    record.limits = step.prune ? limits_text(*step.prune) : "";
    record.target = step.target;
    record.seed = step.seed;
    record.accuracy_before = step.prune ? training.accuracy_before : record.accuracy;
    record.epochs = static_cast<int>(training.epochs);
    record.train_seconds = training.seconds;
    record.epochs_spent = training.epochs_spent;
    record.seconds_spent = training.seconds_spent;
    record.curve = training.curve;
    record.parent_sha256 = training.parent_sha256;
  }

  const StudyPlan& plan_;
  const StudyOptions& options_;
  const Say& say_;
  const std::vector<StudyStep> steps_;
  const StudyData data_;
  const nlohmann::json settings_;
  StudyFolder folder_;
  std::set<std::string> finished_;
  std::map<std::string, std::shared_ptr<nn::Network>> baselines_;  ///< by id
};

/// The network of a finished row.
Checkpoint load_row(const StudyFolder& folder, const RunRecord& record) {
  const std::string path = folder.model_path(record.id);
  require_file(std::filesystem::exists(path), path,
               "is gone: without it row {} cannot be timed anew (it comes again if its line is "
               "removed from runs.jsonl and the study goes on with --resume)",
               record.id);
  Checkpoint checkpoint = load_checkpoint(path, {.quantized = true});
  require_file(checkpoint.sha256 == record.sha256, path,
               "is not the checkpoint that row {} has on record", record.id);
  return checkpoint;
}

}  // namespace

void run_study(const StudyPlan& plan, const StudyOptions& options, const Say& say) {
  Study(plan, options, say).run();
}

void remeasure_study(const StudyPlan& plan, const StudyOptions& options, const Say& say) {
  require_file(std::filesystem::exists(options.folder), options.folder, "there is no such folder");
  const StudyFolder folder(options.folder);
  folder.require_study({{"plan", plan.name}, {"latency", latency_settings(plan)}});
  std::vector<RunRecord> records = folder.records();
  require(!records.empty(), "study", "{} has no finished rows to measure", options.folder);
  std::map<uint64_t, References> references;  // by seed
  for (const RunRecord& record : records) {
    if (record.method != "none") continue;
    References& beside = references[record.seed];
    auto& graph = record.is_quantized() ? beside.integers : beside.unpruned;
    if (!graph) graph = graph_of(load_row(folder, record));
  }
  for (size_t i = 0; i < records.size(); ++i) {
    RunRecord& record = records[i];
    say(fmt::format("[{}/{}] {}: measuring in turns with the unpruned network", i + 1,
                    records.size(), record.id));
    References beside = references[record.seed];
    require(beside.unpruned != nullptr, "study", "seed {} has no row of its unpruned network",
            record.seed);
    if (record.method == "none") beside.integers = nullptr;  // which is itself
    record.latency =
        measure_model(graph_of(load_row(folder, record)), beside, plan, options.threads);
    record.cpu = machine_description();
    record.build = build_description();
    record.commit = build_commit();
  }
  write_records(folder.runs_path(), records);
}

}  // namespace edgeprune
