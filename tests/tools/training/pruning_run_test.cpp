#include "tools/training/pruning_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/message_of.h"
#include "tests/support/paths.h"
#include "tests/support/small_pruning.h"
#include "tools/measurement/evaluate.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::same_weights;
using testing::SmallPruning;

TEST(PruneAndTune, PrunesTunesWithMasksHeldAndRemembers) {
  SmallPruning run;
  const int64_t prunable = summarize(*run.checkpoint.model).prunable;
  const PruneAndTuneResult result = run.run();
  EXPECT_EQ(result.training.epochs.size(), 1u);
  EXPECT_EQ(summarize(*run.checkpoint.model).nonzero_prunable, prunable - prunable / 2);
  const auto& history = run.checkpoint.info.history;
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].at("step"), "prune");
  EXPECT_EQ(history[0].at("parent"), "parent");
  EXPECT_EQ(history[0].at("sparsity"), 0.5);
  EXPECT_EQ(history[0].at("accuracy_before"), result.accuracy_before);
  EXPECT_EQ(history[1].at("step"), "train");
  EXPECT_FALSE(history[1].contains("parent"));
  EXPECT_EQ(run.checkpoint.sha256, "");
  ASSERT_FALSE(run.said.empty());  // behind it there may be warnings about what the model predicts
  EXPECT_THAT(run.said[0], HasSubstr("0.5 of the original weights"));
}

TEST(PruneAndTune, AccuracyBeforeIsThatOfThePrunedModel) {
  SmallPruning run;
  run.request.training.epochs = 0;
  const PruneAndTuneResult result = run.run();
  const Evaluation evaluation =
      evaluate(*run.checkpoint.model, run.checkpoint.info, run.test, inference::Engine::dense);
  EXPECT_EQ(result.accuracy_before, evaluation.accuracy);
  EXPECT_TRUE(result.training.epochs.empty());
  EXPECT_EQ(run.checkpoint.info.history.size(), 1u);
}

TEST(PruneAndTune, CompactModelsAreTunedAsSmallOnes) {
  SmallPruning run;
  run.request.prune.method = Method::channel;
  run.request.prune.mode = PruneMode::compact;
  const int64_t before = summarize(*run.checkpoint.model).parameters;
  run.run();
  EXPECT_LT(summarize(*run.checkpoint.model).parameters, before / 2);
  EXPECT_EQ(run.checkpoint.info.history[0].at("mode"), "compact");
}

TEST(PruneAndTune, RecalibrationChangesStatisticsAndNotWeights) {
  SmallPruning plain, recalibrated;
  plain.request.training.epochs = recalibrated.request.training.epochs = 0;
  recalibrated.request.recovery.bn_recalibrate = 32;
  plain.run();
  recalibrated.run();
  EXPECT_EQ(recalibrated.checkpoint.info.history[0].at("bn_recalibrate"), 32);
  const auto left = plain.checkpoint.model->state_dict(),
             right = recalibrated.checkpoint.model->state_dict();
  for (const auto& [name, array] : left) {
    const bool statistic = name.find("running_") != std::string::npos ||
                           name.find("num_batches_tracked") != std::string::npos;
    EXPECT_EQ(right.at(name).bytes == array.bytes, !statistic) << name;
  }
}

TEST(PruneAndTune, EntriesSayWhatWasAskedFor) {
  PruneAndTune request{.prune = {.method = Method::channel,
                                 .mode = PruneMode::group_mask,
                                 .step = {0.1, Base::remaining},
                                 .limits = {.keep = {"features.0.0"}, .min_density = 0.2},
                                 .groups = {.round_to = 8}},
                       .schedule = PruningSchedule::compounding};
  nlohmann::json expected = {{"step", "prune"},      {"method", "channel"},
                             {"mode", "group-mask"}, {"sparsity", 0.1},
                             {"of", "remaining"},    {"schedule", "compounding"},
                             {"min_density", 0.2},   {"keep", {"features.0.0"}},
                             {"round_to", 8},        {"min_channels", 1}};
  EXPECT_EQ(pruning_entry(request, ""), expected);
  request.prune.method = Method::channel_taylor;
  request.training.seed = 3;
  expected.update({{"method", "channel-taylor"}, {"score_images", 1024}, {"seed", 3}});
  EXPECT_EQ(pruning_entry(request, ""), expected);
}

TEST(PruneAndTune, ScoresAreMeasuredOnTheTrainingImagesThereAre) {
  SmallPruning run, few;
  for (SmallPruning* one : {&run, &few}) {
    one->request.prune.method = Method::taylor;
    one->request.training.epochs = 0;
  }
  few.request.score_images = 32;
  run.run(), few.run();
  EXPECT_EQ(run.checkpoint.info.history[0].at("score_images"), 64) << "there are no more";
  EXPECT_EQ(few.checkpoint.info.history[0].at("score_images"), 32);
  EXPECT_EQ(run.checkpoint.info.history[0].at("method"), "taylor");
  EXPECT_FALSE(same_weights(*run.checkpoint.model, *few.checkpoint.model));
  const ModelSummary summary = summarize(*run.checkpoint.model);
  EXPECT_EQ(summary.prunable - summary.nonzero_prunable,
            std::lrint(0.5 * double(summary.prunable)));
}

TEST(PruneAndTune, RewindingWithoutABaselineIsAnErrorBeforeAnythingGoes) {
  SmallPruning run;
  run.request.recovery.rewind = true;
  EXPECT_THAT(message_of<std::invalid_argument>([&] { run.run(); }), HasSubstr("rewind"));
  EXPECT_NE(run.checkpoint.model, nullptr);
}

}  // namespace
}  // namespace edgeprune
