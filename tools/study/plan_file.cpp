#include "tools/study/plan_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/strict_json.h"
#include "engine/nn/network.h"
#include "models/networks.h"

namespace edgeprune {

/// Written by CMake (tools/study/CMakeLists.txt): name and text of every tools/study/plans/*.json.
extern const std::vector<std::pair<std::string, std::string>> kBuiltInPlans;

namespace {

/// Of built-in plans. A study is resumed only with the plan's name that it was begun with.
const std::map<std::string, std::string> kEarlierNames = {{"document", "original"}};

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Above 0.
void get_float(StrictObject& object, const char* key, float& value, double most = kInfinity) {
  double read = value;
  object.get(key, read, 0, kInfinity);
  if (read > most) object.fail(key, fmt::format("expected {} at most, got {}", most, read));
  value = static_cast<float>(read);
}

void read_training(StrictObject training, TrainOptions& options) {
  training.get("batch", options.batch, 1, kMost);
  get_float(training, "learning_rate", options.learning_rate);
  get_float(training, "weight_decay", options.weight_decay);
  training.get_parsed("optimizer", options.optimizer, [](const std::string& name) {
    value_of("optimizer", optim::kOptimizers, name);
    return name;
  });
  training.get_parsed("schedule", options.schedule, optim::parse_schedule);
  training.get("flip", options.augmentation.flip);
  training.get("crop_padding", options.augmentation.crop_padding, 0, 1024);
  training.get("warm_up", options.warm_up, 0, kMost);
  training.get_parsed("class_weights", options.balanced_classes, parse_class_weights);
  get_float(training, "label_smoothing", options.label_smoothing, 0.99);
  get_float(training, "colour", options.augmentation.colour, 1);
  get_float(training, "rotation", options.augmentation.rotation, 180);
  training.get("patience", options.patience, 0, kMost);
  training.get_three("mean", options.mean, 0, 1);
  training.get_three("std", options.std, 0.001, 100);
  training.finish();
}

void read_data(StrictObject data, StudyPlan& plan) {
  data.get("train_images", plan.train_images, 0, kMost);
  data.get("finetune_images", plan.finetune_images, 0, kMost);
  data.get("validation_images", plan.validation_images, 0, kMost);
  data.get("test_images", plan.test_images, 0, kMost);
  data.finish();
}

void read_latency(StrictObject latency, StudyPlan& plan) {
  std::vector<std::string> engines;
  latency.get("engines", engines);
  if (!engines.empty()) plan.engines.clear();
  for (const std::string& engine : engines) {
    latency.explain("engines", [&] { plan.engines.push_back(inference::parse_engine(engine)); });
  }
  latency.get("batches", plan.batches, 1, 65536);
  latency.get("seconds", plan.latency.seconds, 0, kInfinity);
  latency.get("min_samples", plan.latency.min_samples, 1, kMost);
  latency.get("warmup_seconds", plan.latency.warmup_seconds, 0, kInfinity);
  latency.finish();
}

void read_quantization(StrictObject quantization, StudyPlan& plan) {
  CalibrationOptions& options = plan.calibration;
  quantization.get("calibration_images", plan.calibration_images, 1, kMost);
  quantization.get_parsed("observer", options.observer, [](const std::string& name) {
    return value_of("observer", kObservers, name);
  });
  quantization.get("equalize", options.equalize);
  quantization.get("bias_correction", options.correct_biases);
  quantization.get("qat_epochs", plan.qat_epochs, 1, kMost);
  get_float(quantization, "qat_learning_rate", plan.qat_learning_rate);
  quantization.finish();
}

/// "ptq", or several: ["ptq", "qat"].
void get_quantizings(StrictObject& object, std::vector<Quantizing>& quantize) {
  std::vector<std::string> names;
  object.get_one_or_more("quantize", names);
  for (const std::string& name : names) {
    object.explain("quantize", [&] {
      const Quantizing one = value_of("quantize", kQuantizings, name);
      quantize.push_back(one);
    });
  }
}

void read_recovery(StrictObject object, Recovery& recovery) {
  object.get("bn_recalibrate", recovery.bn_recalibrate, 2, kMost);
  object.get("rewind", recovery.rewind);
  if (object.has("distill")) {
    StrictObject distill = object.object("distill");
    Distillation& distillation = recovery.distillation.emplace();
    get_float(distill, "temperature", distillation.temperature);
    get_float(distill, "alpha", distillation.alpha, 1);
    distill.finish();
  }
  object.finish();
}

/// Keys that would do nothing are refused: whoever wrote them expected something.
void refuse_idle_keys(const StrictObject& object, const Experiment& e) {
  const auto only = [&](const char* key, bool applies, const std::string& what) {
    if (object.has(key) && !applies) object.fail(key, fmt::format("is for {} only", what));
  };
  only("step", e.schedule == PruningSchedule::exact || e.schedule == PruningSchedule::compounding,
       "the schedules exact and compounding");
  only("cubic_steps", e.schedule == PruningSchedule::cubic, "the schedule cubic");
  if (e.mode != PruneMode::mask && !is_structured(e.method)) {
    object.fail("mode", fmt::format("{} is for the method {} only", to_string(e.mode),
                                    methods_that(is_structured)));
  }
  only("score_images", needs_images(e.method), "the methods " + methods_that(needs_images));
  only("round_to", e.mode != PruneMode::mask, "the modes group-mask and compact");
  only("min_channels", e.mode != PruneMode::mask, "the modes group-mask and compact");
}

/// What `action` throws as std::invalid_argument becomes an error about the file.
template <typename Action>
void in_file(const std::string& source, const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", source, error.what()));
  }
}

std::string require_network(const std::string& name) {
  require(is_network(name), "network", "there is no '{}', but {}", name,
          fmt::join(network_names(), ", "));
  return name;
}

std::string require_label(const std::string& label) {
  const bool plain = std::all_of(label.begin(), label.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
  require(plain && !label.empty(), "label", "expected letters, digits, - and _, got '{}'", label);
  return label;
}

/// With weights of zero, for its layers' names; made once.
const nn::Network& unpruned_network(const NetworkSpec& spec) {
  static std::map<std::string, std::unique_ptr<nn::Network>> made;
  auto& network = made[spec.name];
  if (!network) network = std::make_unique<nn::Network>(build_network(spec));
  return *network;
}

Experiment read_experiment(StrictObject& object, const NetworkSpec& network) {
  Experiment e;
  for (const char* key : {"method", "schedule", "targets", "epochs"}) object.require_key(key);
  object.get_parsed("method", e.method, parse_method);
  object.get_parsed("mode", e.mode, parse_prune_mode);
  object.get_parsed("schedule", e.schedule, parse_pruning_schedule);
  object.get("targets", e.targets, 0, 1);
  object.get("epochs", e.epochs, 0, kMost);
  object.get("step", e.options.step, 0, 1);
  object.get("cubic_steps", e.options.cubic_steps, 1, 1000);
  object.get("score_images", e.score_images, 1, kMost);
  object.get("keep", e.limits.keep);
  if (!e.limits.keep.empty()) {
    object.explain("keep", [&] { require_valid(e.limits, unpruned_network(network)); });
  }
  object.get("min_density", e.limits.min_density, 0, 1);
  object.get("round_to", e.groups.round_to, 1, 1024);
  object.get("min_channels", e.groups.min_channels, 1, 1 << 20);
  object.get_parsed("label", e.label, require_label);
  get_quantizings(object, e.quantize);
  read_recovery(object.object("recovery"), e.recovery);
  refuse_idle_keys(object, e);
  object.finish();
  return e;
}

}  // namespace

StudyPlan read_plan(const std::string& text, const std::string& source) {
  StrictObject root(parse_json(text, source), source);
  StudyPlan plan;
  plan.name = as_utf8(std::filesystem::path(source).stem().string());
  root.get("name", plan.name);
  if (plan.name.empty()) root.fail("name", "expected a name, got none");
  root.get("description", plan.description);
  root.get_parsed("network", plan.network, require_network);
  StrictObject baseline = root.object("baseline");
  baseline.get("epochs", plan.baseline_epochs, 0, kMost);
  baseline.finish();
  read_training(root.object("training"), plan.training);
  read_data(root.object("data"), plan);
  read_latency(root.object("latency"), plan);
  read_quantization(root.object("quantization"), plan);
  root.require_key("experiments");
  for (StrictObject& object : root.list("experiments")) {
    plan.experiments.push_back(read_experiment(object, spec_of_plan(plan)));
  }
  root.finish();
  if (root.has("quantization") && !quantizes(plan)) {
    root.fail("quantization", "is for experiments with quantize only");
  }
  in_file(source, [&] {
    require_consistent(plan);
    study_steps(plan);
  });
  return plan;
}

StudyPlan parse_plan(const std::string& text, const std::string& source) {
  StudyPlan plan = read_plan(text, source);
  in_file(source, [&] { require_feasible(plan); });
  return plan;
}

std::vector<std::string> built_in_plans() {
  std::vector<std::string> names;
  for (const auto& [name, text] : kBuiltInPlans) names.push_back(name);
  return names;
}

StudyPlan load_plan(const std::string& name_or_path) {
  const auto earlier = kEarlierNames.find(name_or_path);
  const std::string& wanted = earlier != kEarlierNames.end() ? earlier->second : name_or_path;
  for (const auto& [name, text] : kBuiltInPlans) {
    if (name != wanted) continue;
    StudyPlan plan = parse_plan(text, name);
    plan.name = plan.as_given = name_or_path;
    return plan;
  }
  require_file(std::filesystem::exists(name_or_path), name_or_path,
               "there is no such plan file, and the built-in plans are {}",
               fmt::join(built_in_plans(), ", "));
  const std::vector<char> text = read_file(name_or_path);
  StudyPlan plan = parse_plan({text.begin(), text.end()}, name_or_path);
  plan.as_given = name_or_path;
  return plan;
}

}  // namespace edgeprune
