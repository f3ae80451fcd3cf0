#include "tools/sweeps/sensitivity_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/json.h"
#include "tests/support/sample_machine.h"

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::sample_machine;

/// 80 % unpruned; layer "a" keeps 79.5 and 60 %, "b" 80 and 20, "c" 81 and was pruned further.
Sensitivity sample() {
  Sensitivity sensitivity;
  sensitivity.options.levels = {0.3, 0.9};
  sensitivity.accuracy = 0.8;
  sensitivity.layers = {{"a", 100, {{0.795, 0.3, 2e-3, 1e-3}, {0.6, 0.9, 2e-3, 4e-3}}},
                        {"b", 200, {{0.8, 0.3, 1e-3, 1e-3}, {0.2, 0.9, 1e-3, 1e-3}}},
                        {"c", 300, {{0.81, 0.3, 1e-3, 1e-3}, {std::nan(""), 1, 1e-3, 1e-3}}}};
  return sensitivity;
}

TEST(SensitivityTable, HasPointsLostAndSpeedupsByLevel) {
  const std::string text = sensitivity_table(sample()).render(Format::csv);
  EXPECT_THAT(text, HasSubstr("layer,weights,points lost at 30 %,points lost at 90 %,dense µs,"
                              "sparse × at 30 %,sparse × at 90 %"));
  EXPECT_THAT(text, HasSubstr("\na,100,0.5,20.0,2.0,2.00,0.50\n"));
  EXPECT_THAT(text, HasSubstr("\nc,300,-1.0,,1.0,1.00,1.00\n"));
}

TEST(SensitivityRecords, HaveARowForEachLayerAndLevel) {
  const auto rows = nlohmann::json::parse(
      sensitivity_records(sample(), "m.safetensors", sample_machine()).render(Format::json));
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[3].at("layer"), "b");
  EXPECT_DOUBLE_EQ(rows[3].at("level_percent"), 90);
  EXPECT_DOUBLE_EQ(rows[3].at("points_lost"), 60);
  EXPECT_DOUBLE_EQ(rows[3].at("accuracy_percent"), 20);
  EXPECT_EQ(rows[3].at("method"), "magnitude");
  EXPECT_TRUE(rows[5].at("points_lost").is_null());
}

TEST(SensitivityHeatMap, HasALayerARowAndALevelAColumn) {
  const HeatMap map = sensitivity_heat_map(sample());
  EXPECT_EQ(map.shade, Shade::points);
  EXPECT_THAT(map.columns, ElementsAre("30 %", "90 %"));
  ASSERT_EQ(map.rows.size(), 3u);
  EXPECT_EQ(map.rows[1].name, "b");
  EXPECT_EQ(map.rows[1].remark, "200");
  EXPECT_NEAR(map.rows[1].ratios[1], 60, 1e-9);
  EXPECT_THAT(map.subtitle, HasSubstr("80.0 % unpruned, on 1000 training images"));
}

TEST(MostSensitive, AreThoseThatLoseMostAtTheHighestLevel) {
  EXPECT_THAT(most_sensitive(sample(), 1), ElementsAre("b"));
  EXPECT_THAT(most_sensitive(sample(), 5), ElementsAre("b", "a")) << "c has nothing to lose";
}

}  // namespace
}  // namespace edgeprune
