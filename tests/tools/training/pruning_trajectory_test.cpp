#include "tools/training/pruning_trajectory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_pruning.h"
#include "tools/measurement/evaluate.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallPruning;
using testing::TemporaryFolder;

struct Small : SmallPruning {
  explicit Small(const std::string& state = "") {
    trajectory.steps = pruning_steps(PruningSchedule::exact, Method::magnitude, 0.6, {.step = 0.2});
    trajectory.each = request;
    trajectory.state = state;
    trajectory.each.schedule = PruningSchedule::exact;
  }

  std::vector<TrajectoryStep> run() {
    return run_trajectory(checkpoint, trajectory, training, test,
                          [&](const std::string& line) { said.push_back(line); });
  }

  /// Runs until a line that contains this is said; false if none is.
  bool run_until(const std::string& text) {
    const InterruptGuard guard;
    try {
      run_trajectory(checkpoint, trajectory, training, test, [&](const std::string& line) {
        if (line.find(text) != std::string::npos) ::raise(SIGINT);
      });
    } catch (const Interrupted&) {
      return true;
    }
    return false;
  }

  double accuracy() const {
    return evaluate(*checkpoint.model, checkpoint.info, test, inference::Engine::dense).accuracy;
  }

  Trajectory trajectory;
};

TEST(PruningTrajectory, EachStepLandsAndIsReported) {
  Small run;
  const double prunable = double(summarize(*run.checkpoint.model).prunable);
  const auto steps = run.run();
  ASSERT_EQ(steps.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(steps[i].step.fraction, run.trajectory.steps[i].fraction);
    EXPECT_EQ(prunable - double(steps[i].nonzero_prunable),
              std::nearbyint(steps[i].step.fraction * prunable));
    EXPECT_TRUE(steps[i].kept);
    EXPECT_GT(steps[i].seconds, 0);
  }
  EXPECT_EQ(steps.back().accuracy, run.accuracy());
  EXPECT_EQ(run.checkpoint.info.history.size(), 6u);
  EXPECT_THAT(run.said, Contains(HasSubstr("step 3/3: accuracy")));
  // As small as it is, it ends dead, which is said behind the accuracy.
  EXPECT_THAT(run.said.back(), HasSubstr("step 3/3: warning: no weight of classifier.1 is left"));
}

TEST(PruningTrajectory, StrictlyADeadNetworkIsAnError) {
  Small run;
  run.trajectory.each.strict = true;
  EXPECT_THAT(message_of<std::runtime_error>([&] { run.run(); }),
              HasSubstr("[strict] no weight of classifier.1 is left"));
}

TEST(PruningTrajectory, StoppedAnywhereItEndsWithTheSameWeightsAndRows) {
  Small undisturbed;
  const auto expected = undisturbed.run();
  const TemporaryFolder folder;
  const std::string state = folder.file("out");
  // In the first training, in the second one, between pruning and training of the last.
  for (const char* where : {"step 1/3: pruned", "step 2/3: pruned", "step 3/3: pruned"}) {
    Small stopped(state);
    stopped.trajectory.resume = true;
    ASSERT_TRUE(stopped.run_until(where)) << where;
    EXPECT_TRUE(fs::exists(state + ".steps"));
  }
  Small resumed(state);
  resumed.trajectory.resume = true;
  const auto steps = resumed.run();
  EXPECT_EQ(resumed.said.front(), "going on behind step 2 of 3");
  EXPECT_TRUE(same_weights(*resumed.checkpoint.model, *undisturbed.checkpoint.model));
  EXPECT_EQ(resumed.checkpoint.info.history, undisturbed.checkpoint.info.history);
  ASSERT_EQ(steps.size(), expected.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].accuracy, expected[i].accuracy);
    EXPECT_EQ(steps[i].accuracy_before, expected[i].accuracy_before);
    EXPECT_EQ(steps[i].nonzero_multiply_adds, expected[i].nonzero_multiply_adds);
  }
  remove_state(resumed.trajectory);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PruningTrajectory, FinishedButNotSavedIsNotDoneAgain) {
  const TemporaryFolder folder;
  Small first(folder.file("out")), second(folder.file("out"));
  first.run();
  second.trajectory.resume = true;
  EXPECT_EQ(second.run().size(), 3u);
  EXPECT_EQ(second.said, std::vector<std::string>{"going on behind step 3 of 3"});
  EXPECT_TRUE(same_weights(*first.checkpoint.model, *second.checkpoint.model));
}

/// A network that has every test image right as long as nobody touches it.
struct Right : Small {
  Right() {
    const Evaluation all =
        evaluate(*checkpoint.model, checkpoint.info, test, inference::Engine::dense);
    for (int64_t i = 0; i < all.images; ++i) {
      const float* row = all.logits.data() + i * 10;
      test.labels[size_t(i)] = static_cast<int>(std::max_element(row, row + 10) - row);
    }
    trajectory.steps = {{0.01}, {0.02}, {0.95}, {0.96}};
    trajectory.each.training.epochs = 0;
    trajectory.min_accuracy = 0.8;
  }
};

TEST(PruningTrajectory, TheGuardKeepsTheLastModelThatIsGoodEnough) {
  Right run;
  ASSERT_EQ(run.accuracy(), 1);
  const int64_t prunable = summarize(*run.checkpoint.model).prunable;
  const auto steps = run.run();
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_TRUE(steps[0].kept && steps[1].kept);
  EXPECT_FALSE(steps[2].kept);
  EXPECT_LT(steps[2].accuracy, 0.8);
  EXPECT_EQ(run.accuracy(), steps[1].accuracy);
  EXPECT_EQ(prunable - summarize(*run.checkpoint.model).nonzero_prunable,
            std::lrint(0.02 * double(prunable)));
  EXPECT_EQ(run.checkpoint.info.history.size(), 2u);
}

TEST(PruningTrajectory, IfTheFirstStepFallsTheModelIsAsItWas) {
  Right run;
  const Right untouched;
  run.trajectory.steps = {{0.95}, {0.96}};
  ASSERT_EQ(run.run().size(), 1u);
  EXPECT_TRUE(same_weights(*run.checkpoint.model, *untouched.checkpoint.model));
  EXPECT_EQ(run.checkpoint.sha256, "parent");
  EXPECT_TRUE(run.checkpoint.info.history.empty());
}

TEST(PruningTrajectory, AModelBelowTheMinimumIsRefusedAndLeavesNoState) {
  const TemporaryFolder folder;
  Small run(folder.file("out"));
  run.trajectory.min_accuracy = 1;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { run.run(); }),
              HasSubstr("before anything is pruned"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PruningTrajectory, StatesOfOtherRunsAndDamagedOnesAreRefused) {
  const TemporaryFolder folder;
  const std::string state = folder.file("out");
  const auto error_with = [&](const auto& change) {
    Small run(state);
    run.trajectory.resume = true;
    change(run);
    return message_of<std::invalid_argument>([&] { run.run(); });
  };
  ASSERT_TRUE(Small(state).run_until("step 1/3: pruned"));
  EXPECT_THAT(error_with([](Small& r) { r.trajectory.steps.pop_back(); }), HasSubstr("its steps"));
  EXPECT_THAT(error_with([](Small& r) { r.checkpoint.sha256 = "other"; }), HasSubstr("its model"));
  EXPECT_THAT(error_with([](Small& r) { r.trajectory.min_accuracy = 1e-9; }),
              HasSubstr("its minimum accuracy differs"));
  EXPECT_THAT(error_with([](Small& r) { r.trajectory.each.prune.method = Method::lamp; }),
              HasSubstr("its pruning differs"));
  EXPECT_THAT(error_with([](Small& r) { r.trajectory.each.training.learning_rate = 1; }),
              HasSubstr("its learning rate differs"));
  EXPECT_THAT(error_with([](Small& r) { r.training = synthetic(96, Split::train, 0); }),
              HasSubstr("its training data"));
  std::ofstream(state + ".steps") << "{\"identity\": 3";
  Small run(state);
  run.trajectory.resume = true;
  EXPECT_THAT(message_of<FileError>([&] { run.run(); }), HasSubstr("damaged"));
}

TEST(PruningTrajectory, AStateOfMoreFinishedStepsThanTheRunHasIsDamaged) {
  const TemporaryFolder folder;
  const std::string state = folder.file("out");
  ASSERT_TRUE(Small(state).run_until("step 2/3: pruned"));
  nlohmann::json steps = nlohmann::json::parse(std::ifstream(state + ".steps"));
  const nlohmann::json first = steps.at("finished").at(0);
  steps["finished"] = {first, first, first, first};
  std::ofstream(state + ".steps") << steps;
  Small run(state);
  run.trajectory.resume = true;
  EXPECT_THAT(message_of<FileError>([&] { run.run(); }),
              HasSubstr("damaged: 4 steps are finished, the run has 3"));
}

TEST(PruningTrajectory, PlansHaveTheCountsOfTheRunAndChangeNothing) {
  Small run;
  const Small untouched;
  std::vector<int64_t> left;
  plan_trajectory(*run.checkpoint.model, run.trajectory, {},
                  [&](size_t i, const nn::Network& before, const nn::Network& after) {
                    EXPECT_EQ(i, left.size());
                    if (i > 0) {
                      EXPECT_EQ(summarize(before).nonzero_prunable, left.back());
                    }
                    left.push_back(summarize(after).nonzero_prunable);
                  });
  EXPECT_TRUE(same_weights(*run.checkpoint.model, *untouched.checkpoint.model));
  const auto steps = run.run();
  ASSERT_EQ(left.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(left[i], steps[i].nonzero_prunable);
}

}  // namespace
}  // namespace edgeprune
