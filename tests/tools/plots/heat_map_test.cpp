#include "tools/plots/heat_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "tests/support/paths.h"
#include "tests/support/require_gnuplot.h"

namespace edgeprune {
namespace {

HeatMap sample_map() {
  return {.title = "Title",
          .subtitle = "subtitle",
          .x_label = "x",
          .remark_heading = "heading",
          .columns = {"0 %", "50 %"},
          .rows = {{.name = "first", .ratios = {0.25, 1.0}, .remark = "50 %"},
                   {.name = "second", .ratios = {1.5, 12.25}, .gap_above = true}}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(HeatMap, ShowsNamesNumbersAndRemarks) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const std::string svg = draw(sample_map(), ImageFormat::svg);
  for (const std::string text : {"Title", "subtitle", "heading", "0 %", "50 %", "first", "second",
                                 "0.25", "1.00", "1.50", "12.2"}) {
    EXPECT_TRUE(contains(svg, text)) << text;
  }
}

TEST(HeatMap, LongRemarksAreNotCutOff) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  HeatMap map = sample_map();
  map.rows[0].remark = "67.4 % (27.8 % to 67.5 %)";
  const std::string svg = draw(map, ImageFormat::svg);
  const size_t remark = svg.find(map.rows[0].remark);
  ASSERT_NE(remark, std::string::npos);
  const std::string place = "translate(";
  const double x = std::stod(svg.substr(svg.rfind(place, remark) + place.size()));
  EXPECT_GT(x, 600);
  EXPECT_LT(x + 8 * double(map.rows[0].remark.size()), 1200) << "the picture ends there";
}

TEST(HeatMap, GrowsWithItsRows) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const auto height = [](const HeatMap& map) {
    const std::string png = draw(map, ImageFormat::png);
    EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
    return 256 * static_cast<unsigned char>(png[22]) + static_cast<unsigned char>(png[23]);
  };
  HeatMap map = sample_map();
  const int before = height(map);
  map.rows.resize(40, map.rows[0]);
  EXPECT_GT(height(map), before + 38 * 20);
}

TEST(HeatMap, WhatIsNoRatioLeavesTheCellEmpty) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  HeatMap map = sample_map();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  map.rows[0].ratios = {kNan, std::numeric_limits<double>::infinity()};
  map.rows[1].ratios = {0, -1};
  const std::string svg = draw(map, ImageFormat::svg);
  EXPECT_TRUE(contains(svg, "first"));
  EXPECT_FALSE(contains(svg, "nan"));
  EXPECT_FALSE(contains(svg, "inf"));
}

TEST(HeatMap, TextIsShownAsItStandsAndNeverRun) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const testing::TemporaryFolder folder;
  const std::string touched = folder.file("touched");
  for (const std::string& attack :
       {"`touch " + touched + "`", "\"; system(\"touch " + touched + "\")",
        std::string("100 % %s %d")}) {
    HeatMap map = sample_map();
    map.title = map.subtitle = map.x_label = map.remark_heading = attack;
    map.columns[0] = map.rows[0].name = map.rows[0].remark = attack;
    EXPECT_NO_THROW(draw(map, ImageFormat::svg)) << attack;
    EXPECT_FALSE(std::filesystem::exists(touched)) << attack;
  }
}

TEST(HeatMap, SharesAreWholePercentsAndZeroIsOne) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  HeatMap map = sample_map();
  map.shade = Shade::share;
  map.rows[0].ratios = {0, 0.416};
  map.rows[1].ratios = {1, 1.5};
  const std::string svg = draw(map, ImageFormat::svg);
  for (const std::string text : {">0</text>", ">42</text>", ">100</text>", "75 %"}) {
    EXPECT_TRUE(contains(svg, text)) << text;
  }
  EXPECT_FALSE(contains(svg, ">150</text>"));
  EXPECT_FALSE(contains(svg, "as fast as dense"));
}

TEST(HeatMap, ColumnsMayHaveSeveralLines) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  HeatMap map = sample_map();
  map.columns[0] = "first line\nsecond line\n30 %";
  const std::string svg = draw(map, ImageFormat::svg);
  for (const std::string text : {"first line<", "second line<", "30 %<"}) {
    EXPECT_TRUE(contains(svg, text)) << text;
  }
}

TEST(HeatMap, PointsLostCanBeNoneOrGained) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  HeatMap map = sample_map();
  map.shade = Shade::points;
  map.rows[0].ratios = {-0.04, -1.24};
  map.rows[1].ratios = {31.49, std::numeric_limits<double>::quiet_NaN()};
  const std::string svg = draw(map, ImageFormat::svg);
  for (const std::string text : {">0.0<", ">-1.2<", ">31.5<", "31 or more"}) {
    EXPECT_TRUE(contains(svg, text)) << text;
  }
  EXPECT_FALSE(contains(svg, "-0.0"));
  EXPECT_FALSE(contains(svg, "nan"));
}

TEST(HeatMap, WithoutCellsOrWithAShortRowItIsRefused) {
  EXPECT_THROW(draw(HeatMap{}, ImageFormat::png), std::invalid_argument);
  HeatMap map = sample_map();
  map.rows[1].ratios.pop_back();
  EXPECT_THROW(draw(map, ImageFormat::png), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
