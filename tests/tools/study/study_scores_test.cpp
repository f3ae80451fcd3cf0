#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/checkpoint.h"
#include "tests/tools/study/small_study.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using StudyScores = testing::SmallStudy;

TEST_F(StudyScores, AreMeasuredOnTheFineTuningsImages) {
  plan_.experiments = {testing::experiment(Method::channel_taylor, PruningSchedule::one_shot, 0.5)};
  plan_.experiments[0].mode = PruneMode::compact;
  plan_.experiments[0].score_images = 12;
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].id, "channel-taylor-compact-one-shot-50");
  EXPECT_LT(records[1].stored_parameters, records[0].stored_parameters / 2);
  const auto history = load_checkpoint(options_.folder + "/" + records[1].checkpoint).info.history;
  const auto& pruned = history.at(history.size() - 2);
  EXPECT_EQ(pruned.at("score_images"), 12);
  EXPECT_EQ(pruned.at("seed"), 0);
  options_.resume = true;
  plan_.experiments[0].score_images = 13;
  EXPECT_THAT(refusal(), HasSubstr("steps differ"));
}

}  // namespace
}  // namespace edgeprune
