#include "tools/study/study.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "data/open.h"
#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/measurement/machine.h"
#include "tools/study/about.h"
#include "tools/study/study_folder.h"
#include "tools/study/study_row.h"
#include "tools/training/pruning_run.h"
#include "tools/training/starting_point.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

using Say = std::function<void(const std::string&)>;

struct StudyData {
  Dataset training, finetuning, validation, test;
  int64_t of_training = 0, of_test = 0;  ///< images that there are
};

/// What is to be made of the weights, but for the classes.
Wanted wanted(const StudyPlan& plan, const StudyOptions& options) {
  return {.network = plan.network, .width = options.width, .input_size = options.input_size};
}

StudyData open_data(const StudyPlan& plan, const StudyOptions& options, const Say& say) {
  ReadOptions reading;
  reading.resize = options.resize;
  reading.input_size = StartingPoint(options.weights, wanted(plan, options)).input_size();
  reading.skip_bad = options.skip_bad_images;
  reading.say = say;
  const auto part = [&](const Dataset& dataset, int64_t images) {
    return images == 0 ? dataset : limit(dataset, images, options.seeds.front());
  };
  StudyData data;
  data.training = open_dataset(options.data, Split::train, reading);
  data.of_training = data.training.size();
  if (plan.validation_images > 0) {
    std::tie(data.training, data.validation) =
        hold_out(std::move(data.training), plan.validation_images, options.seeds.front());
  }
  data.finetuning = part(data.training, plan.finetune_images);
  data.training = part(data.training, plan.train_images);
  data.test = open_dataset(options.data, Split::test, reading);
  data.of_test = data.test.size();
  data.test = part(data.test, plan.test_images);
  for (const Dataset* images : {&data.training, &data.finetuning}) {
    const std::string batches = batch_note(images->size(), plan.training.batch);
    if (!batches.empty()) say("note: " + batches);
  }
  return data;
}

nlohmann::json latency_settings(const StudyPlan& plan) {
  std::vector<std::string> engines;
  for (const auto engine : plan.engines) engines.push_back(inference::to_string(engine));
  return {{"engines", engines},
          {"batches", plan.batches},
          {"seconds", plan.latency.seconds},
          {"min samples", plan.latency.min_samples},
          {"warm-up seconds", plan.latency.warmup_seconds}};
}

/// What decides the rows of a study. Of its seeds only the first: more can be added later.
nlohmann::json settings_of(const StudyPlan& plan, const StudyOptions& options,
                           const StudyData& data) {
  nlohmann::json steps = nlohmann::json::object();
  for (const StudyStep& step : study_steps(plan, {options.seeds.front()})) {
    steps[step.id] = identity_of(step);
    steps[step.id]["row"] = step.row;
  }
  const TrainOptions& training = plan.training;
  nlohmann::json settings = {
      {"plan", plan.name},
      {"steps", steps},
      {"training data", fingerprint(data.training)},
      {"fine-tuning images", data.finetuning.size()},
      {"test data", fingerprint(data.test)},
      {"weights", options.weights == "random" ? "random" : sha256_of_file(options.weights)},
      {"latency", latency_settings(plan)},
      {"batch", training.batch},
      {"optimizer", training.optimizer},
      {"learning rate", training.learning_rate},
      {"learning rate schedule", optim::to_string(training.schedule)},
      {"weight decay", training.weight_decay},
      {"flip", training.augmentation.flip},
      {"crop padding", training.augmentation.crop_padding},
      {"seed", options.seeds.front()},
      // Empty unless given: studies begun before there were these flags go on.
      {"network", !plan.network.empty() ? nlohmann::json(plan.network) : nullptr},
      {"width", options.width != 0 ? nlohmann::json(options.width) : nullptr},
      {"input size", options.input_size != 0 ? nlohmann::json(options.input_size) : nullptr},
      {"validation images",
       plan.validation_images != 0 ? nlohmann::json(plan.validation_images) : nullptr},
      {"refinements", refinements(training)},
  };
  return settings;
}

/// For readers of the report.
StudyAbout about(const StudyPlan& plan, const StudyOptions& options, const StudyData& data) {
  const TrainOptions& training = plan.training;
  const auto& augmentation = training.augmentation;
  const nlohmann::json refining = refinements(training);
  std::string refined;  // ", label smoothing 0.1, warm up 1"
  for (const auto& [name, value] : refining.items()) {
    refined +=
        fmt::format(", {} {}", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  std::ranges::replace(refined, '_', ' ');
  return {.plan = plan.name,
          .description = plan.description,
          .plan_as_given = plan.as_given,
          .data = options.data,
          .weights = options.weights,
          .classes = std::ssize(data.training.classes),
          .cifar10 = are_cifar10(data.training.classes) && !options.data.starts_with("synthetic"),
          .train_images = data.training.size(),
          .finetune_images = data.finetuning.size(),
          .of_train_images = data.of_training,
          .test_images = data.test.size(),
          .of_test_images = data.of_test,
          .validation_images = data.validation.size(),
          .baseline_epochs = plan.baseline_epochs,
          .training = fmt::format(
              "batch {}, {}, learning rate {:g} ({}), weight decay {:g}{}{}{}", training.batch,
              training.optimizer, training.learning_rate, optim::to_string(training.schedule),
              training.weight_decay, augmentation.flip ? ", flipped" : "",
              augmentation.crop_padding > 0
                  ? fmt::format(", cropped {} pixels off", augmentation.crop_padding)
                  : "",
              refined),
          .begun = date_and_time(),
          .command = command_line()};
}

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
    folder_.claim(settings_, options.resume, about(plan, options, data_));
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
             const bool beside = !step.prune && next.prune && next.seed == step.seed;
             return (made_from || beside) && needs(next);
           });
  }

  /// Loads the parent, prunes, trains, saves.
  void make_model(const StudyStep& step, const std::string& label) {
    Wanted start = wanted(plan_, options_);
    start.seed = step.seed;
    Checkpoint model =
        step.prune ? load_checkpoint(folder_.model_path(step.parent))
                   : StartingPoint(options_.weights, start).start(data_.training.classes, say_);
    if (!step.prune) {
      model.info.resize = options_.resize;
      take_normalisation(model.info, plan_.training);
    }
    StepTraining done;
    if (step.prune && !is_baseline(step.parent)) done = folder_.load_training(step.parent);
    if (step.prune) done.parent_sha256 = model.sha256;
    TrainOptions training = plan_.training;
    training.epochs = step.epochs;
    training.seed = step.seed;
    const TrainState state{folder_.state_path(step.id), true};
    const auto on_epoch = [&](const EpochResult& epoch) {
      say_(fmt::format("{}: epoch {}/{}, loss {:.3f}, training accuracy {:.1f} %, {:.0f} images/s",
                       label, epoch.epoch, step.epochs, epoch.loss, 100 * epoch.accuracy,
                       epoch.images_per_second));
    };
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
    add(result, done);
    folder_.save_training(step.id, done);
    save_checkpoint(folder_.model_path(step.id), *model.model, model.info);
    std::filesystem::remove(state.path);
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
                       [&](const StudyStep& step) { return step.id == id && !step.prune; });
  }

  /// The unpruned network of the step's seed.
  std::shared_ptr<nn::Network> baseline_of(const StudyStep& step) {
    for (const StudyStep& other : steps_) {
      if (other.prune || other.seed != step.seed) continue;
      auto& baseline = baselines_[other.id];
      if (!baseline) baseline = load_checkpoint(folder_.model_path(other.id)).model;
      return baseline;
    }
    throw std::logic_error("[study] there is no baseline of " + step.id);
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
    const Checkpoint checkpoint = load_checkpoint(path);
    const StepTraining training = folder_.load_training(step.id);
    const Evaluation evaluation =
        evaluate(*checkpoint.model, checkpoint.info, data_.test, inference::Engine::dense);
    report_warning(evaluation.warning, options_.strict,
                   [&](const std::string& line) { say_(label + ": " + line); });
    RunRecord record = describe_model(checkpoint, path, data_.test, evaluation);
    record.id = step.id;
    record.row = step.name;
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
    record.checkpoint = std::filesystem::path(path).lexically_relative(options_.folder);
    record.parent_sha256 = training.parent_sha256;
    const auto unpruned = baseline_of(step);
    record.latency = measure_model(*checkpoint.model, *unpruned, plan_, options_.threads);
    append_record(folder_.runs_path(), record);
    say_(fmt::format("{}: accuracy {:.2f} %, sparsity {:.1f} %", label, 100 * record.accuracy,
                     100 * record.sparsity()));
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
  return load_checkpoint(path);
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
  std::map<uint64_t, std::unique_ptr<nn::Network>> baselines;  // by seed
  for (const RunRecord& record : records) {
    if (record.method != "none") continue;
    baselines[record.seed] = load_row(folder, record).model;
  }
  for (size_t i = 0; i < records.size(); ++i) {
    RunRecord& record = records[i];
    say(fmt::format("[{}/{}] {}: measuring in turns with the unpruned network", i + 1,
                    records.size(), record.id));
    const auto baseline = baselines.find(record.seed);
    require(baseline != baselines.end(), "study", "seed {} has no row of its unpruned network",
            record.seed);
    const Checkpoint checkpoint = load_row(folder, record);
    record.latency = measure_model(*checkpoint.model, *baseline->second, plan, options.threads);
    record.cpu = machine_description();
    record.build = build_description();
    record.commit = build_commit();
  }
  write_records(folder.runs_path(), records);
}

}  // namespace edgeprune
