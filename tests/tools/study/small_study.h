#pragma once
// A study on as little as there can be, to run in tests.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tools/study/records.h"
#include "tools/study/study.h"

namespace edgeprune::testing {

inline Experiment experiment(Method method, PruningSchedule schedule, double target,
                             double step = 0.25) {
  Experiment e;
  e.method = method;
  e.schedule = schedule;
  e.targets = {target};
  e.epochs = 1;
  e.options.step = step;
  return e;
}

/// A row of each kind, on as little as there can be.
inline StudyPlan tiny_plan() {
  StudyPlan plan;
  plan.name = "tiny";
  plan.baseline_epochs = 1;
  plan.experiments = {experiment(Method::magnitude, PruningSchedule::exact, 0.5),
                      experiment(Method::channel, PruningSchedule::one_shot, 0.3)};
  plan.training.batch = 16;
  plan.finetune_images = 16;
  plan.test_images = 10;
  plan.engines = {inference::Engine::dense, inference::Engine::sparse};
  plan.batches = {1};
  plan.latency = {
      .seconds = 0, .min_samples = 1, .warmup_seconds = 0, .warmup_runs = 0, .min_sample_ms = 0};
  return plan;
}

/// Without what differs between two runs of the same study: its clock.
inline std::string without_times(const RunRecord& record) {
  nlohmann::json json = record;
  for (const char* key : {"train_seconds", "seconds_spent", "latency"}) json.erase(key);
  return json.dump();
}

/// tiny_plan() with a narrow network on the synthetic set, in a folder of its own.
class SmallStudy : public ::testing::Test {
 protected:
  SmallStudy() {
    options_.data = "synthetic:32";
    options_.weights = "random";
    options_.width = 0.25;
    options_.input_size = 32;
    options_.folder = folder_.file("study");
  }

  void run(const std::function<void(const std::string&)>& say = [](const std::string&) {}) {
    run_study(plan_, options_, say);
  }
  std::vector<RunRecord> rows() const { return read_records(options_.folder + "/runs.jsonl"); }
  std::string refusal() {
    return message_of<std::invalid_argument>([&] { run(); });
  }

  TemporaryFolder folder_;
  StudyPlan plan_ = tiny_plan();
  StudyOptions options_;
};

}  // namespace edgeprune::testing
