#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_run.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallRun;

/// Every option that is off by default, on.
void refine(TrainOptions& options) {
  options.label_smoothing = 0.1f;
  options.balanced_classes = true;
  options.warm_up = 1;
  options.augmentation.colour = 0.2f;
  options.augmentation.rotation = 10;
}

TEST(Refinements, RareClassesCountMore) {
  EXPECT_THAT(balanced_weights({0, 0, 0, 1}, 2), ElementsAre(4.0f / 6, 2.0f));
  EXPECT_THAT(balanced_weights({0, 0}, 2), ElementsAre(0.5f, 0.0f));
}

TEST(Refinements, EachChangesWhatIsLearnt) {
  SmallRun plain;
  plain.training.labels[0] = 1;  // classes of equal sizes would weigh alike
  plain.train();
  const auto differs = [&](auto change) {
    SmallRun other;
    other.training.labels[0] = 1;
    change(other.options);
    other.train();
    return !same_weights(plain.model, other.model);
  };
  EXPECT_FALSE(differs([](TrainOptions&) {}));
  EXPECT_TRUE(differs([](TrainOptions& o) { o.label_smoothing = 0.1f; }));
  EXPECT_TRUE(differs([](TrainOptions& o) { o.balanced_classes = true; }));
  EXPECT_TRUE(differs([](TrainOptions& o) { o.warm_up = 1; }));
  EXPECT_TRUE(differs([](TrainOptions& o) { o.augmentation.colour = 0.2f; }));
  EXPECT_TRUE(differs([](TrainOptions& o) { o.augmentation.rotation = 10; }));
}

TEST(Refinements, AreResumedAsTheyWereAndOnlySo) {
  const testing::TemporaryFolder folder;
  const TrainState state{folder.file("run.state"), true};
  SmallRun straight, resumed;
  refine(straight.options);
  refine(resumed.options);
  straight.train();
  ASSERT_TRUE(resumed.train_one_batch(state));
  SmallRun without;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { without.train(state); }),
              HasSubstr("is the state of another run: it had class_weights \"balanced\""));
  SmallRun again;
  refine(again.options);
  again.train(state);
  EXPECT_TRUE(same_weights(straight.model, again.model));
}

TEST(Refinements, PatienceStopsWhenNothingGetsBetterAlsoAfterAResume) {
  const auto hopeless = [] {
    auto run = std::make_unique<SmallRun>();
    run->validation = synthetic(40, Split::test, 0);
    run->options.epochs = 8;
    run->options.learning_rate = 1e-30f;  // the validation accuracy of batch norm's own moves only
    run->options.patience = 2;
    return run;
  };
  auto run = hopeless();
  const TrainResult result = run->train();
  ASSERT_LT(result.epochs.size(), 8u);
  EXPECT_EQ(std::ssize(result.epochs), result.chosen_epoch + 2);
  EXPECT_EQ(training_step(run->options, result, "", {})["stopped_after"], result.epochs.size());
  EXPECT_EQ(training_step(run->options, result, "", {})["patience"], 2);

  const testing::TemporaryFolder folder;
  const TrainState state{folder.file("run.state"), true};
  auto first = hopeless(), second = hopeless();
  ASSERT_TRUE(first->train_one_batch(state));
  EXPECT_EQ(second->train(state).epochs.size(), result.epochs.size());
  auto third = hopeless();
  EXPECT_EQ(third->train(state).epochs.size(), result.epochs.size()) << "it is over";
}

TEST(Refinements, WhatCannotBeIsRejected) {
  const auto error = [](auto change) {
    SmallRun run;
    change(run.options);
    return message_of<std::invalid_argument>([&] { run.train(); });
  };
  EXPECT_THAT(error([](TrainOptions& o) { o.patience = 2; }), HasSubstr("patience needs images"));
  EXPECT_THAT(error([](TrainOptions& o) { o.label_smoothing = 1; }), HasSubstr("label smoothing"));
  EXPECT_THAT(error([](TrainOptions& o) { o.warm_up = -1; }), HasSubstr("warm-up"));
}

TEST(Refinements, AHistoryWithoutThemSaysNothingOfThem) {
  EXPECT_TRUE(refinements({}).empty());
  TrainOptions options;
  refine(options);
  EXPECT_EQ(refinements(options).size(), 5u);
  options.mean = options.std = {1, 1, 1};
  options.patience = 3;
  EXPECT_EQ(refinements(options).size(), 8u);
}

}  // namespace
}  // namespace edgeprune
