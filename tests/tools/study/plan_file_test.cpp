#include "tools/study/plan_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/optim/optimizer.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/whole_plan.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

/// A plan file around these experiments and other entries.
std::string plan_of(const std::string& experiments, const std::string& more = "") {
  return R"({"experiments": [)" + experiments + "]" + more + "}";
}

/// An experiment with these entries added.
std::string with(const std::string& entries) {
  return plan_of(R"({"method": "channel", "schedule": "exact", "targets": [0.5], "epochs": 2, )" +
                 entries + "}");
}

const std::string kMinimal =
    R"({"method": "magnitude", "schedule": "one-shot", "targets": [0.5], "epochs": 5})";

TEST(PlanFile, WhatIsLeftOutIsAsInTheOriginal) {
  const StudyPlan plan = parse_plan(plan_of(kMinimal), "folder/mine.json");
  const StudyPlan original = load_plan("original");
  EXPECT_EQ(plan.name, "mine");
  EXPECT_EQ(plan.baseline_epochs, original.baseline_epochs);
  EXPECT_EQ(plan.training.batch, original.training.batch);
  EXPECT_EQ(plan.training.learning_rate, original.training.learning_rate);
  EXPECT_EQ(plan.training.optimizer, original.training.optimizer);
  EXPECT_EQ(plan.training.schedule, original.training.schedule);
  EXPECT_EQ(plan.training.augmentation.flip, original.training.augmentation.flip);
  EXPECT_EQ(plan.train_images, original.train_images);
  EXPECT_EQ(plan.engines, original.engines);
  EXPECT_EQ(plan.batches, original.batches);
  EXPECT_EQ(plan.latency.seconds, original.latency.seconds);
  EXPECT_EQ(plan.latency.min_samples, original.latency.min_samples);
  ASSERT_EQ(plan.experiments.size(), 1u);
  EXPECT_EQ(plan.experiments[0].mode, PruneMode::mask);
  EXPECT_EQ(plan.experiments[0].recovery.to_string(), "");
  EXPECT_TRUE(plan.experiments[0].quantize.empty());
}

TEST(PlanFile, EverythingInItArrives) {
  const StudyPlan plan = parse_plan(testing::kWholePlan, "f");
  EXPECT_EQ(plan.name, "all");
  EXPECT_EQ(plan.description, "of it");
  EXPECT_EQ(plan.network, "mobilenet_v2");
  EXPECT_EQ(plan.baseline_epochs, 4);
  EXPECT_EQ(plan.training.batch, 32);
  EXPECT_EQ(plan.training.learning_rate, 0.01f);
  EXPECT_EQ(plan.training.optimizer, "sgd");
  EXPECT_EQ(plan.training.schedule, optim::Schedule::Kind::cosine);
  EXPECT_EQ(plan.training.weight_decay, 0.001f);
  EXPECT_FALSE(plan.training.augmentation.flip);
  EXPECT_EQ(plan.training.augmentation.crop_padding, 4);
  EXPECT_EQ(plan.training.warm_up, 2);
  EXPECT_EQ(plan.training.augmentation.colour, 1);
  EXPECT_EQ(plan.training.augmentation.rotation, 180);
  EXPECT_EQ(plan.training.patience, 3);
  EXPECT_EQ(plan.training.mean, (std::vector<float>{0.5f, 0.5f, 0.25f}));
  EXPECT_EQ(plan.training.std, (std::vector<float>{1, 2, 1}));
  EXPECT_EQ(plan.validation_images, 50);
  EXPECT_EQ(plan.train_images, 300);
  EXPECT_EQ(plan.finetune_images, 200);
  EXPECT_EQ(plan.test_images, 100);
  EXPECT_EQ(plan.engines, (std::vector<inference::Engine>{inference::Engine::onednn,
                                                          inference::Engine::automatic}));
  EXPECT_EQ(plan.batches, (std::vector<int>{2, 8}));
  EXPECT_EQ(plan.latency.seconds, 0.5);
  EXPECT_EQ(plan.latency.min_samples, 7);
  EXPECT_EQ(plan.latency.warmup_seconds, 0.25);
  const Experiment& channels = plan.experiments.at(0);
  EXPECT_EQ(channels.method, Method::channel);
  EXPECT_EQ(channels.mode, PruneMode::compact);
  EXPECT_EQ(channels.schedule, PruningSchedule::compounding);
  EXPECT_EQ(channels.targets, (std::vector<double>{0.4, 0.2}));
  EXPECT_EQ(channels.epochs, 3);
  EXPECT_EQ(channels.options.step, 0.2);
  EXPECT_EQ(channels.limits.keep, (std::vector<std::string>{"features.0.0", "features.17.conv.2"}));
  EXPECT_EQ(channels.limits.min_density, 0.1);
  EXPECT_EQ(channels.groups.round_to, 8);
  EXPECT_EQ(channels.groups.min_channels, 4);
  EXPECT_EQ(channels.label, "small");
  EXPECT_EQ(channels.recovery.to_string(), "bn-recalibrate 50, rewind, distill 2,1");
  EXPECT_EQ(plan.experiments.at(1).method, Method::lamp);
  EXPECT_EQ(plan.experiments.at(1).options.cubic_steps, 3);
  EXPECT_TRUE(channels.quantize.empty());
  EXPECT_EQ(plan.experiments.at(1).quantize, (std::vector{Quantizing::ptq, Quantizing::qat}));
  EXPECT_EQ(plan.calibration_images, 64);
  EXPECT_EQ(plan.calibration.observer, Observer::percentile);
  EXPECT_TRUE(plan.calibration.equalize);
  EXPECT_FALSE(plan.calibration.correct_biases);
  EXPECT_EQ(plan.qat_epochs, 3);
  EXPECT_EQ(plan.qat_learning_rate, 0.01f);
  EXPECT_EQ(plan.experiments.at(2).score_images, 64);
  // Not with distillation.
  const StudyPlan other = parse_plan(
      plan_of(kMinimal, R"(, "training": {"label_smoothing": 0.1, "class_weights": "balanced"})"),
      "f");
  EXPECT_EQ(other.training.label_smoothing, 0.1f);
  EXPECT_TRUE(other.training.balanced_classes);
}

TEST(PlanFile, IntegersHaveEnginesOfTheirOwn) {
  const std::string quantized = R"({"method": "lamp", "schedule": "one-shot", "targets": [0.5],
                                    "epochs": 1, "quantize": "ptq"})";
  EXPECT_EQ(parse_plan(plan_of(quantized), "f").experiments[0].quantize,
            std::vector{Quantizing::ptq});
  const std::string engines = R"(, "latency": {"engines": ["dense", "int8"]})";
  EXPECT_EQ(parse_plan(plan_of(quantized, engines), "f").engines,
            (std::vector{inference::Engine::dense, inference::Engine::int8}));
  EXPECT_THAT(message_of<FileError>([&] { parse_plan(plan_of(kMinimal, engines), "f"); }),
              HasSubstr("latency.engines: int8 runs quantised models, and no experiment"));
  EXPECT_THAT(message_of<FileError>([&] {
                parse_plan(plan_of(quantized, R"(, "latency": {"engines": ["int8"]})"), "f");
              }),
              HasSubstr("latency.engines: expected one at least that runs models in floats"));
}

TEST(PlanFile, ErrorsAreOneLineThatNamesFileAndKey) {
  struct Case {
    std::string text;
    std::vector<std::string> says;
  };
  const std::vector<Case> cases = {
      {"", {"line 1, column 1"}},
      {"[]", {"expected an object", "[]"}},
      {"{\n\"name\": }", {"line 2"}},
      {std::string(1'000'000, '['), {"nests too deeply"}},
      {R"({"experiments": )" + std::string(1'000'000, '['), {"nests too deeply"}},
      {plan_of(R"({"method": "lamp", "schedule": "exact", "step": 0.001, "epochs": 1,
                   "targets": [0.5, 0.7]}, {"method": "magnitude", "schedule": "cubic",
                   "cubic_steps": 1000, "epochs": 1, "targets": [0.5]})"),
       {"experiments[1]: more than 1024 trainings in all"}},
      {R"({"name": "a", "name": "b"})", {"\"name\" is there twice"}},
      {"{}", {"experiments: is missing"}},
      {R"({"experiments": []})", {"experiments: expected a list [...] of one or more"}},
      {R"({"experiments": {"method": "magnitude"}})", {"experiments: expected a list"}},
      {plan_of(kMinimal, R"(, "epochs": 3)"), {"epochs: unknown key; known are baseline"}},
      {plan_of(kMinimal, R"(, "name": 3)"), {"name: expected a text, got 3"}},
      {plan_of(kMinimal, R"(, "name": "")"), {"name: "}},
      {plan_of(kMinimal, R"(, "baseline": 15)"), {"baseline: expected an object", "15"}},
      {plan_of(kMinimal, R"(, "baseline": [{"epochs": 3}])"), {"baseline: expected an object"}},
      {plan_of(kMinimal, R"(, "baseline": {"epochs": -1})"), {"baseline.epochs: ", "-1"}},
      {plan_of(kMinimal, R"(, "baseline": {"epochs": 1.5})"), {"baseline.epochs: ", "1.5"}},
      {plan_of(kMinimal, R"(, "training": {"batch": 0})"), {"training.batch: ", "got 0"}},
      {plan_of(kMinimal, R"(, "training": {"batch": 99999999999999999999})"), {"training.batch: "}},
      {plan_of(kMinimal, R"(, "training": {"batch": 18446744073709551615})"), {"training.batch: "}},
      {plan_of(kMinimal, R"(, "training": {"lr": 1})"),
       {"training.lr: unknown key", "learning_rate"}},
      {plan_of(kMinimal, R"(, "training": {"learning_rate": 0})"), {"training.learning_rate: "}},
      {plan_of(kMinimal, R"(, "training": {"optimizer": "lion"})"),
       {"training.optimizer: ", "lion"}},
      {plan_of(kMinimal, R"(, "training": {"schedule": "x"})"), {"training.schedule: ", "cosine"}},
      {plan_of(kMinimal, R"(, "training": {"flip": 1})"),
       {"training.flip: expected true or false"}},
      {plan_of(kMinimal, R"(, "training": {"class_weights": "heavy"})"),
       {"training.class_weights: ", "none or balanced", "heavy"}},
      {plan_of(kMinimal, R"(, "training": {"colour": 1.5})"),
       {"training.colour: expected 1 at most, got 1.5"}},
      {plan_of(kMinimal, R"(, "training": {"rotation": 181})"), {"training.rotation: ", "181"}},
      {plan_of(kMinimal, R"(, "training": {"label_smoothing": 1})"),
       {"training.label_smoothing: ", "0.99"}},
      {plan_of(kMinimal, R"(, "training": {"warm_up": -1})"), {"training.warm_up: ", "-1"}},
      {plan_of(kMinimal, R"(, "data": {"images": 1})"), {"data.images: unknown key"}},
      {plan_of(kMinimal, R"(, "data": {"test_images": "all"})"), {"data.test_images: ", "\"all\""}},
      {plan_of(kMinimal, R"(, "latency": {"engines": ["fast"]})"), {"latency.engines: ", "sparse"}},
      {plan_of(kMinimal, R"(, "latency": {"engines": []})"), {"latency.engines: expected a list"}},
      {plan_of(kMinimal, R"(, "latency": {"batches": [1, 0]})"), {"latency.batches[1]: ", "got 0"}},
      {plan_of(kMinimal, R"(, "latency": {"batches": [4, 4]})"), {"latency.batches[1]: ", "twice"}},
      {plan_of(kMinimal, R"(, "latency": {"seconds": "long"})"), {"latency.seconds: ", "long"}},
      {plan_of("7"), {"experiments[0]: expected an object", "7"}},
      {plan_of(kMinimal + ", {}"), {"experiments[1].method: is missing"}},
      {plan_of(R"({"method": "magnitude", "schedule": "one-shot", "epochs": 1})"),
       {"experiments[0].targets: is missing"}},
      {plan_of(R"({"method": "l1", "schedule": "one-shot", "targets": [0.5], "epochs": 1})"),
       {"experiments[0].method: ", "magnitude", "l1"}},
      {plan_of(R"({"method": "lamp", "schedule": "once", "targets": [0.5], "epochs": 1})"),
       {"experiments[0].schedule: ", "one-shot", "once"}},
      {plan_of(R"({"method": "lamp", "schedule": "exact", "targets": [], "epochs": 1})"),
       {"experiments[0].targets: ", "[]"}},
      {plan_of(R"({"method": "lamp", "schedule": "exact", "targets": [0.5, 1], "epochs": 1})"),
       {"experiments[0].targets[1]: expected a number above 0 and below 1, got 1"}},
      {plan_of(R"({"method": "lamp", "schedule": "exact", "targets": [0.5, 0.5], "epochs": 1})"),
       {"experiments[0].targets[1]: ", "twice"}},
      {plan_of(
           R"({"method": "lamp", "mode": "compact", "schedule": "exact", "targets": [0.5], "epochs": 1})"),
       {"experiments[0].mode: compact is for the method " + methods_that(is_structured) + " only"}},
      {plan_of(kMinimal + ", " + kMinimal), {"experiments[1]", "magnitude-one-shot-50", "already"}},
      {with(R"("sparsity": 0.5)"), {"experiments[0].sparsity: unknown key"}},
      {with(R"("mode": "gone")"), {"experiments[0].mode: ", "group-mask"}},
      {with(R"("step": 0)"), {"experiments[0].step: "}},
      {with(R"("step": 0.00001)"), {"step"}},
      {with(R"("cubic_steps": 3)"), {"experiments[0].cubic_steps: is for the schedule cubic only"}},
      {with(R"("round_to": 8)"),
       {"experiments[0].round_to: is for the modes group-mask and compact"}},
      {with(R"("mode": "compact", "min_channels": 0)"), {"experiments[0].min_channels: "}},
      {with(R"("score_images": 64)"),
       {"experiments[0].score_images: is for the methods taylor or channel-taylor only"}},
      {plan_of(R"({"method": "taylor", "schedule": "one-shot", "targets": [0.5], "epochs": 1,
                   "score_images": 0})"),
       {"experiments[0].score_images: ", "got 0"}},
      {with(R"("keep": ["features.99"])"), {"experiments[0].keep: ", "features.99"}},
      {R"({"network": "lenet", "experiments": []})", {"network: ", "'lenet'", "resnet18"}},
      {with(R"("keep": "features.0.0")"), {"experiments[0].keep: expected a list"}},
      {with(R"("min_density": 1)"), {"experiments[0].min_density: "}},
      {with(R"("quantize": "int4")"), {"experiments[0].quantize: ", "ptq"}},
      {with(R"("quantize": [])"), {"experiments[0].quantize: expected a list"}},
      {with(R"("quantize": 8)"), {"experiments[0].quantize: expected a list"}},
      {with(R"("quantize": ["ptq", "ptq"])"), {"experiments[0].quantize[1]: ", "twice"}},
      {plan_of(kMinimal, R"(, "quantization": {"observer": "mse"})"),
       {"quantization: is for experiments with quantize only"}},
      {plan_of(kMinimal, R"(, "quantization": {"observer": "x"})"),
       {"quantization.observer: ", "percentile"}},
      {plan_of(kMinimal, R"(, "quantization": {"calibration_images": 0})"),
       {"quantization.calibration_images: ", "got 0"}},
      {plan_of(kMinimal, R"(, "quantization": {"qat_epochs": 0})"),
       {"quantization.qat_epochs: ", "got 0"}},
      {plan_of(kMinimal, R"(, "quantization": {"bits": 4})"), {"quantization.bits: unknown key"}},
      {with(R"("label": "a/b")"), {"experiments[0].label: ", "a/b"}},
      {with(R"("label": "")"), {"experiments[0].label: "}},
      {with(R"("recovery": "rewind")"), {"experiments[0].recovery: expected an object"}},
      {with(R"("recovery": {"bn": 1})"), {"experiments[0].recovery.bn: unknown key"}},
      {with(R"("recovery": {"bn_recalibrate": 1})"), {"experiments[0].recovery.bn_recalibrate: "}},
      {with(R"("recovery": {"distill": {"alpha": 1.5}})"),
       {"experiments[0].recovery.distill.alpha: ", "1.5"}},
      {with(R"("recovery": {"distill": {"temperature": 0}})"),
       {"experiments[0].recovery.distill.temperature: "}},
      {plan_of(R"({"method": "lamp", "schedule": "exact", "targets": [0.5], "epochs": 3,
                   "recovery": {"rewind": true}})",
               R"(, "baseline": {"epochs": 2})"),
       {"experiments[0].epochs: 3 cannot rewind to a baseline of 2"}},
      {plan_of(R"({"method": "lamp", "schedule": "one-shot", "targets": [0.5], "epochs": 1,
                   "min_density": 0.7})"),
       {"lamp-one-shot-50"}},
  };
  for (const auto& [text, says] : cases) {
    const std::string message =
        message_of<FileError>([&plan = text] { parse_plan(plan, "folder/mine.json"); });
    EXPECT_TRUE(message.starts_with("folder/mine.json: ")) << message << " from " << text;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : says) EXPECT_THAT(message, HasSubstr(part)) << text;
  }
}

TEST(PlanFile, IsABuiltInOneOrAFile) {
  EXPECT_EQ(built_in_plans(),
            (std::vector<std::string>{"combined", "extended", "original", "quick"}));
  for (const std::string& name : built_in_plans()) EXPECT_EQ(load_plan(name).name, name);
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("mine.json");
  EXPECT_THAT(message_of<FileError>([&] { load_plan(path); }),
              ::testing::AllOf(HasSubstr(path), HasSubstr("combined, extended, original, quick")));
  write_file_atomically(path, plan_of(kMinimal));
  EXPECT_EQ(load_plan(path).name, "mine");
}

// Studies remember the name of their plan and are resumed with no other.
TEST(PlanFile, AnEarlierNameLoadsThePlanUnderThatName) {
  const StudyPlan earlier = load_plan("document"), now = load_plan("original");
  EXPECT_EQ(earlier.name, "document");
  EXPECT_EQ(earlier.description, now.description);
  EXPECT_EQ(earlier.experiments.size(), now.experiments.size());
}

/// Whether the README's line about this key has all of these names.
void expect_listed(const std::string& readme, const std::string& key,
                   const std::vector<std::string>& names) {
  const size_t line = readme.find("`" + key + "`");
  ASSERT_NE(line, std::string::npos) << key;
  const std::string text = readme.substr(line, readme.find('\n', line) - line);
  for (const std::string& name : names) EXPECT_THAT(text, HasSubstr(name)) << key;
}

TEST(PlanFile, ReadmeListsEveryChoice) {
  const std::vector<char> bytes =
      read_file(testing::source_folder() + "/tools/study/plans/README.md");
  const std::string readme(bytes.begin(), bytes.end());
  expect_listed(readme, "method", names_of(kMethods));
  expect_listed(readme, "mode", names_of(kPruneModes));
  expect_listed(readme, "schedule", names_of(kPruningSchedules));
  expect_listed(readme, "training.optimizer", names_of(optim::kOptimizers));
  expect_listed(readme, "training.optimizer", names_of(optim::kScheduleNames));
  expect_listed(readme, "latency.engines", names_of(inference::kEngines));
  expect_listed(readme, "quantize", names_of(kQuantizings));
  expect_listed(readme, "quantization.observer", names_of(kObservers));
  for (const std::string& name : built_in_plans()) {
    EXPECT_THAT(readme.substr(0, readme.find('|', readme.find("FILE.json"))), HasSubstr(name));
  }
}

}  // namespace
}  // namespace edgeprune
