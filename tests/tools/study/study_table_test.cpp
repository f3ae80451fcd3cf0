#include "tools/study/study_table.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tools/study/plan_file.h"

namespace edgeprune {
namespace {

nlohmann::json rows_of(const StudyPlan& plan, std::optional<int64_t> available) {
  const Table table = steps_table(study_steps(plan), epoch_images(plan, available));
  return nlohmann::json::parse(table.render(Format::json));
}

TEST(StudyTable, HasAllStepsAndWhatTheyCost) {
  const nlohmann::json rows = rows_of(load_plan("original"), 50000);
  ASSERT_EQ(rows.size(), 1u + 3 * 3 + 5 * 7 - 2 + 1);
  EXPECT_EQ(rows[0].at("step"), "baseline");
  EXPECT_EQ(rows[0].at("images"), 15 * 50000);
  EXPECT_EQ(rows[1].at("parent"), "baseline");
  EXPECT_EQ(rows[1].at("prunes"), "30 % of all weights");
  EXPECT_EQ(rows[1].at("epochs"), 5);
  const nlohmann::json& last = rows[rows.size() - 2];
  EXPECT_EQ(last.at("step"), "channel-compounding-70");
  EXPECT_EQ(last.at("prunes"), "10 % of the channels left");
  EXPECT_EQ(last.at("row"), "yes");
  const nlohmann::json& total = rows.back();
  EXPECT_EQ(total.at("row"), "24 rows");
  EXPECT_EQ(total.at("epochs"), 15 + 9 * 5 + (5 * 7 - 2) * 2);
  EXPECT_EQ(total.at("images"), (15 + 9 * 5 + (5 * 7 - 2) * 2) * 50000);
}

TEST(StudyTable, CountsPartsOfTheData) {
  const nlohmann::json rows = rows_of(load_plan("quick"), 6000);
  EXPECT_EQ(rows[0].at("images"), 6000) << "20,000 are not there";
  for (const auto& row : rows) {
    if (row.at("step") == "baseline-int8") {
      EXPECT_EQ(row.at("images"), 0);
      EXPECT_EQ(row.at("prunes"), "nothing: 8 bits (ptq)");
    }
    if (row.at("step") == "lamp-one-shot-50") {
      EXPECT_EQ(row.at("images"), 6000);
    }
    if (row.at("step") == "lamp-one-shot-90") {
      EXPECT_EQ(row.at("images"), 2 * 6000);
    }
  }
  EXPECT_EQ(rows_of(load_plan("quick"), {})[0].at("images"), 20000);
}

TEST(StudyTable, SaysNothingOfImagesThatNobodyCounted) {
  for (const auto& row : rows_of(load_plan("original"), {}))
    EXPECT_TRUE(row.at("images").is_null());
}

}  // namespace
}  // namespace edgeprune
