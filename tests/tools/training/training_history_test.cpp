#include "tools/training/training_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using Json = nlohmann::json;

/// The history of a baseline of 15 epochs, cosine from 0.002, that was pruned and fine-tuned.
Json pruned_history() {
  TrainOptions options;
  options.schedule = optim::Schedule::Kind::cosine;
  options.learning_rate = 2e-3f;
  TrainOptions tuning;
  tuning.epochs = 5;
  return Json::array({{{"step", "import"}},
                      training_step(options, {}, "parent", {}),
                      {{"step", "prune"}, {"method", "magnitude"}},
                      training_step(tuning, {}, "parent", {})});
}

TEST(TrainingHistory, TheBaselineIsTheTrainingInFrontOfThePruning) {
  const Rewinding baseline = baseline_training(pruned_history());
  EXPECT_EQ(baseline.schedule, optim::Schedule::Kind::cosine);
  EXPECT_EQ(baseline.learning_rate, 2e-3f) << "to the bit";
  EXPECT_EQ(baseline.epochs, 15);
}

TEST(TrainingHistory, OfSeveralTrainingsTheLastOneIsTheBaselines) {
  TrainOptions further;
  further.epochs = 3;
  Json history = pruned_history();
  history.insert(history.begin() + 2, training_step(further, {}, "parent", {}));
  EXPECT_EQ(baseline_training(history).epochs, 3);
  history.insert(history.begin() + 3, Json{{"step", "train"}, {"epochs", 0}, {"learning_rate", 1}});
  EXPECT_EQ(baseline_training(history).epochs, 3) << "no epochs are no training";
}

TEST(TrainingHistory, WithoutATrainedBaselineThereIsNothingToRewindTo) {
  Json history = pruned_history();
  history.erase(1);
  for (const Json& bad : {Json::array(), history}) {
    EXPECT_THAT(message_of<std::invalid_argument>([&] { baseline_training(bad); }),
                HasSubstr("no training in front of its pruning"));
  }
}

TEST(TrainingHistory, OlderHistoriesHadConstantRates) {
  const Json old = Json::array({{{"step", "train"}, {"epochs", 15}, {"learning_rate", 1e-3}}});
  EXPECT_EQ(baseline_training(old).schedule, optim::Schedule::Kind::constant);
}

TEST(TrainingHistory, SaysWhatHelpedAndOnlyThen) {
  TrainOptions options;
  const Json plain = training_step(options, {}, "parent", {});
  for (const char* key : {"bn_recalibrate", "distill", "rewind"}) {
    EXPECT_FALSE(plain.contains(key)) << key;
  }
  options.bn_recalibrate = 100;
  options.distillation = Distillation{};
  options.rewinding = Rewinding{.epochs = 7};
  const Json helped = training_step(options, {}, "parent", {});
  EXPECT_EQ(helped.at("bn_recalibrate"), 100);
  EXPECT_EQ(helped.at("distill"), "4,0.5");
  EXPECT_EQ(helped.at("rewind").at("epochs"), 7);
}

TEST(TrainingHistory, NamesDataAndWhatCameOfThem) {
  const Dataset training{
      .images = std::vector<Image>(30), .labels = {}, .classes = {}, .source = "parts/tr\xff"};
  const Dataset validation{
      .images = std::vector<Image>(7), .labels = {}, .classes = {}, .source = ""};
  TrainResult result;
  result.epochs = {{.epoch = 1, .accuracy = 0.5, .validation_accuracy = 0.75},
                   {.epoch = 2, .accuracy = 0.625, .validation_accuracy = 0.25}};
  result.chosen_epoch = 1;
  const Json step = training_step({}, result, "parent", training, &validation);
  EXPECT_EQ(step.at("data"), "parts/tr\\xFF");
  EXPECT_EQ(step.at("split"), "train");
  EXPECT_EQ(step.at("images"), 30);
  EXPECT_EQ(step.at("accuracy"), 0.5);
  EXPECT_EQ(step.at("validation"), Json({{"images", 7}, {"accuracy", 0.75}}));
  EXPECT_NO_THROW(step.dump());
  result.chosen_epoch = 2;
  EXPECT_FALSE(training_step({}, result, "parent", training).contains("validation"));
  EXPECT_FALSE(training_step({}, {}, "parent", training).contains("accuracy")) << "of no epoch";
}

TEST(WithRecovery, SetsWhatIsAskedFor) {
  Recovery recovery{.bn_recalibrate = 10, .rewind = true, .distillation = Distillation{4, 0.5f}};
  recovery.teacher = std::make_shared<nn::Network>(mobilenet_v2(0.25, 32, 10), uint64_t{1});
  TrainOptions options;
  options.epochs = 5;
  const TrainOptions all = with_recovery(options, recovery, pruned_history());
  EXPECT_EQ(all.bn_recalibrate, 10);
  EXPECT_EQ(all.distillation, recovery.distillation);
  EXPECT_EQ(all.teacher, recovery.teacher);
  EXPECT_EQ(all.rewinding, baseline_training(pruned_history()));
  const TrainOptions none = with_recovery(options, {}, Json::array());
  EXPECT_FALSE(none.rewinding || none.distillation || none.teacher || none.bn_recalibrate > 0);
}

TEST(WithRecovery, WhatCannotBeIsRefused) {
  TrainOptions options;
  options.epochs = 16;
  EXPECT_THAT(message_of<std::invalid_argument>(
                  [&] { with_recovery(options, {.rewind = true}, pruned_history()); }),
              HasSubstr("16 epochs cannot replay the last ones of a baseline that was trained for "
                        "15"));
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                with_recovery(options, {.distillation = Distillation{}}, pruned_history());
              }),
              HasSubstr("no teacher"));
}

TEST(DescribeRewinding, SaysWhichEpochsOrThatTheRateIsConstant) {
  EXPECT_EQ(describe({optim::Schedule::Kind::cosine, 0.5f, 15}, 5),
            "rewinding: learning rates of epochs 11 to 15 of the baseline, cosine from 0.5");
  EXPECT_EQ(describe({optim::Schedule::Kind::constant, 0.5f, 15}, 5),
            "rewinding: the baseline's learning rate was constant, 0.5, so it is again");
}

}  // namespace
}  // namespace edgeprune
