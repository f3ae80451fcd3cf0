#include "tools/sweeps/breakeven_plots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "engine/base/file.h"
#include "tests/support/paths.h"
#include "tests/support/require_gnuplot.h"
#include "tests/support/sample_machine.h"
#include "tests/support/sample_sweep.h"

namespace edgeprune {
namespace {

using testing::sample_machine;
using testing::sample_sweep;

TEST(BreakevenPlots, HeatMapHasLayersThenTheRestThenTheNetwork) {
  const HeatMap map = breakeven_heat_map(sample_sweep(), sample_machine());
  EXPECT_EQ(map.columns, (std::vector<std::string>{"0 %", "50 %", "75 %"}));
  ASSERT_EQ(map.rows.size(), 4u);
  EXPECT_EQ(map.rows[0].name, "expand  2→4, 4×4");
  EXPECT_EQ(map.rows[0].ratios, (std::vector<double>{0.5, 1, 2}));
  EXPECT_EQ(map.rows[0].remark, "25.0 %");
  EXPECT_EQ(map.rows[2].ratios, (std::vector<double>{0.5, 0.5, 0.5}));
  EXPECT_TRUE(map.rows[2].gap_above);
  EXPECT_EQ(map.rows[3].name, "whole network");
  EXPECT_EQ(map.rows[3].remark, "75.0 %");
  EXPECT_EQ(map.subtitle.find("batch 8, 2 threads, Sample CPU 9000, avx2"), 0u);
}

TEST(BreakevenPlots, FigureMarksWhereAnEngineBreaksEvenAndTheLimit) {
  const Figure figure = breakeven_figure(sample_sweep(), sample_machine(), 1e-3);
  ASSERT_EQ(figure.panels.size(), 1u);
  const auto& series = figure.panels[0].series;
  ASSERT_EQ(series.size(), 5u) << "three engines, sparse's break-even, the limit";
  EXPECT_EQ(series[0].name, "dense");
  EXPECT_EQ(series[1].name, "sparse: faster from 75.0 % on");
  EXPECT_EQ(series[2].name, "auto: always faster than dense");
  EXPECT_EQ(series[1].points[1], std::pair(50.0, 3.5));
  EXPECT_NEAR(series[3].points.at(0).first, 75, 1e-9);
  EXPECT_NEAR(series[3].points.at(0).second, 3, 1e-9);
  const double flops = 512 + 1152 + 512;  // what the dense steps carry out
  EXPECT_NEAR(series[4].points.at(0).second, flops / 1e-3 * 1e-6, 1e-9);
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      EXPECT_TRUE(x >= figure.x_low && x <= figure.x_high);
      EXPECT_TRUE(y >= 0 && y <= figure.panels[0].y_high);
    }
  }
}

TEST(BreakevenPlots, FigureHasErrorBars) {
  Sweep sweep = sample_sweep();
  sweep.results[1][1].cell.factor = Factor{{0.9, 0.75, 1.2}, 20};
  const auto series = breakeven_figure(sweep, sample_machine(), 1e-3).panels[0].series;
  EXPECT_NEAR(series[1].y_bars.at(1).first, 2.5, 1e-9);
  EXPECT_NEAR(series[1].y_bars.at(1).second, 4, 1e-9);
  ASSERT_EQ(series[3].name, "sparse breaks even");
  const auto [earliest, latest] = series[3].x_bars.at(0);
  EXPECT_LE(earliest, series[3].points.at(0).first);
  EXPECT_GE(latest, series[3].points.at(0).first);
}

TEST(BreakevenPlots, ASingleLevelIsEnough) {
  Sweep sweep = sample_sweep();
  sweep.levels.resize(1);
  sweep.results.resize(1);
  EXPECT_EQ(breakeven_heat_map(sweep, sample_machine()).columns.size(), 1u);
  EXPECT_EQ(breakeven_figure(sweep, sample_machine(), 100).panels[0].series[1].name,
            "sparse: never faster than dense");
}

TEST(BreakevenPlots, WritesBothAsSvgAndPng) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const testing::TemporaryFolder folder;
  const auto paths = write_breakeven_plots(sample_sweep(), sample_machine(), folder.path());
  ASSERT_EQ(paths.size(), 4u);
  for (const std::string name : {"heat_map_batch8_threads2", "latency_batch8_threads2"}) {
    const std::vector<char> svg = read_file(folder.file(name + ".svg"));
    EXPECT_NE(std::string(svg.begin(), svg.end()).find("</svg>"), std::string::npos);
    EXPECT_GT(read_file(folder.file(name + ".png")).size(), 5000u);
  }
  const auto files = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 4);
}

}  // namespace
}  // namespace edgeprune
