#include "tools/experiment/study.h"

#include <algorithm>
#include <filesystem>

#include "data/open.h"
#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/fold.h"
#include "models/summary.h"
#include "tools/experiment/evaluate.h"
#include "tools/experiment/machine.h"
#include "tools/experiment/starting_point.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

class Study {
 public:
  Study(const StudyPlan& plan, const StudyOptions& options,
        const std::function<void(const std::string&)>& say)
      : plan_(plan), options_(options), say_(say) {
    open_data();
    fs::create_directories(fs::path(options.folder) / "models");
    claim_folder();
    if (fs::exists(runs_path())) {
      for (const RunRecord& record : read_records(runs_path())) finished_.push_back(record.id);
    }
  }

  void run() {
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      const StudyStep& step = plan_.steps[i];
      const auto label = fmt::format("[{}/{}] {}", i + 1, plan_.steps.size(), step.id);
      const bool trained = fs::exists(model_path(step.id));
      const bool row_finished =
          std::find(finished_.begin(), finished_.end(), step.id) != finished_.end();
      if (trained && (row_finished || !step.row)) {
        say_(label + ": finished before");
        continue;
      }
      if (!trained) make_model(step, label);
      if (step.row && !row_finished) measure(step, label);
    }
  }

 private:
  std::string model_path(const std::string& id) const {
    return (fs::path(options_.folder) / "models" / (id + ".safetensors")).string();
  }
  /// How long training took: beside the checkpoint, which depends on nothing but what was asked
  /// for.
  std::string seconds_path(const std::string& id) const {
    return (fs::path(options_.folder) / "models" / (id + ".seconds")).string();
  }
  std::string runs_path() const { return (fs::path(options_.folder) / "runs.jsonl").string(); }

  void open_data() {
    const auto part = [&](const Dataset& dataset, int64_t images) {
      return images == 0 ? dataset : limit(dataset, images, options_.training.seed);
    };
    training_ = open_dataset(options_.data, Split::train);
    finetuning_ = part(training_, plan_.finetune_images);
    training_ = part(training_, plan_.train_images);
    test_ = part(open_dataset(options_.data, Split::test), plan_.test_images);
    // Now, not when the baseline is trained and the first pruned network wants its fewer images.
    const int64_t fewest = std::min(training_.size(), finetuning_.size());
    require(options_.training.batch <= fewest, "study",
            "no batch of {} can be made of the {} images trained on", options_.training.batch,
            fewest);
  }

  /// Refuses a folder in which another study lives.
  void claim_folder() {
    const std::string path = (fs::path(options_.folder) / "study.json").string();
    nlohmann::json steps = nlohmann::json::array();
    for (const StudyStep& step : plan_.steps) {
      steps.push_back({step.id, step.parent, step.target, step.epochs});
    }
    const nlohmann::json own = {
        {"plan", plan_.name},
        {"steps", steps},
        {"training data", fingerprint(training_)},
        {"fine-tuning images", finetuning_.size()},
        {"test data", fingerprint(test_)},
        {"weights", options_.weights == "random" ? "random" : sha256_of_file(options_.weights)},
        {"batch", options_.training.batch},
        {"optimizer", options_.training.optimizer},
        {"learning rate", options_.training.learning_rate},
        {"learning rate schedule", static_cast<int>(options_.training.schedule)},
        {"weight decay", options_.training.weight_decay},
        {"flip", options_.training.augmentation.flip},
        {"crop padding", options_.training.augmentation.crop_padding},
        {"seed", options_.training.seed},
    };
    if (!fs::exists(path)) {
      write_file_atomically(path, own.dump(2) + "\n");
      return;
    }
    require(options_.resume, "study",
            "{} holds a study: go on with --resume, or name another folder", options_.folder);
    const std::vector<char> text = read_file(path);
    const auto there = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    require_file(there.is_object(), path, "damaged");
    for (const auto& [key, value] : own.items()) {
      require(there.contains(key) && there.at(key) == value, "study",
              "{} holds another study: its {} differs", options_.folder, key);
    }
  }

  /// Loads the parent, prunes, trains, saves.
  void make_model(const StudyStep& step, const std::string& label) {
    Checkpoint parent =
        step.parent.empty()
            ? start_from_weights(options_.weights, training_.classes, options_.training.seed, say_)
            : load_checkpoint(model_path(step.parent));
    MobileNetV2& model = *parent.model;
    nlohmann::json& history = parent.info.history;
    Masks masks;
    if (step.method) {
      masks = make_masks(model, *step.method, step.target);
      apply_masks(masks, model);
      const double before = evaluate(model, parent.info, test_, inference::Engine::dense).accuracy;
      say_(fmt::format("{}: pruned to {:.0f} %, accuracy {:.2f} % before fine-tuning", label,
                       100 * step.target, 100 * before));
      history.push_back({{"step", "prune"},
                         {"method", to_string(*step.method)},
                         {"schedule", step.schedule},
                         {"sparsity", step.target},
                         {"parent", parent.sha256},
                         {"accuracy_before", before}});
    }
    TrainOptions training = options_.training;
    training.epochs = step.epochs;
    const std::string state = model_path(step.id) + ".state";
    const TrainResult result = train(
        model, parent.info, step.method ? finetuning_ : training_, nullptr, masks, training,
        {state, true}, [&](const EpochResult& epoch) {
          say_(fmt::format(
              "{}: epoch {}/{}, loss {:.3f}, training accuracy {:.1f} %, {:.0f} images/s", label,
              epoch.epoch, step.epochs, epoch.loss, 100 * epoch.accuracy, epoch.images_per_second));
        });
    history.push_back({{"step", "train"},
                       {"epochs", step.epochs},
                       {"learning_rate", training.learning_rate},
                       {"batch", training.batch},
                       {"seed", training.seed}});
    write_file_atomically(seconds_path(step.id), nlohmann::json(result.seconds).dump());
    save_checkpoint(model_path(step.id), model, parent.info);
    fs::remove(state);
  }

  /// Evaluates and times a finished model, and appends its row.
  void measure(const StudyStep& step, const std::string& label) {
    const Checkpoint checkpoint = load_checkpoint(model_path(step.id));
    const Evaluation evaluation =
        evaluate(*checkpoint.model, checkpoint.info, test_, inference::Engine::dense);
    RunRecord record = describe(*checkpoint.model);
    record.id = record.row = step.id;
    record.method = step.method ? to_string(*step.method) : "none";
    record.mode = step.method ? "mask" : "none";
    record.schedule = step.schedule;
    record.target = step.target;
    record.seed = options_.training.seed;
    record.accuracy_before = record.accuracy = evaluation.accuracy;
    record.loss = evaluation.loss;
    record.test_images = evaluation.images;
    record.file_bytes = static_cast<int64_t>(fs::file_size(model_path(step.id)));
    record.epochs = static_cast<int>(step.epochs);
    record.checkpoint = "models/" + step.id + ".safetensors";
    record.sha256 = checkpoint.sha256;
    const auto& history = checkpoint.info.history;
    const std::vector<char> seconds = read_file(seconds_path(step.id));
    record.train_seconds = nlohmann::json::parse(seconds.begin(), seconds.end());
    if (step.method) {
      const auto& prune = history.at(history.size() - 2);
      record.accuracy_before = prune.at("accuracy_before");
      record.parent_sha256 = prune.at("parent");
    }
    std::vector<int> threads{1};
    if (options_.threads > 1) threads.push_back(options_.threads);
    const auto graph = std::make_shared<const inference::Graph>(fold_batch_norm(*checkpoint.model));
    const std::vector<LatencyCase> cases = latency_cases(
        graph, {inference::Engine::dense, inference::Engine::sparse}, plan_.batches, threads);
    for (const LatencyResult& result : measure_latency(cases, plan_.latency)) {
      record.latency.push_back(result.cell);
    }
    append_record(runs_path(), record);
    say_(fmt::format("{}: accuracy {:.2f} %, sparsity {:.1f} %", label, 100 * record.accuracy,
                     100 * record.sparsity()));
  }

  static RunRecord describe(const MobileNetV2& model) {
    const ModelSummary summary = summarize(model);
    RunRecord record;
    record.parameters = summary.parameters;
    record.nonzero_parameters = summary.nonzero_parameters;
    record.prunable = summary.prunable;
    record.nonzero_prunable = summary.nonzero_prunable;
    record.multiply_adds = summary.multiply_adds;
    record.nonzero_multiply_adds = summary.nonzero_multiply_adds;
    record.cpu = machine_description();
    record.build = build_description();
    record.commit = build_commit();
    return record;
  }

  const StudyPlan& plan_;
  const StudyOptions& options_;
  const std::function<void(const std::string&)>& say_;
  Dataset training_, finetuning_, test_;
  std::vector<std::string> finished_;
};

}  // namespace

void run_study(const StudyPlan& plan, const StudyOptions& options,
               const std::function<void(const std::string&)>& say) {
  Study(plan, options, say).run();
}

}  // namespace edgeprune
