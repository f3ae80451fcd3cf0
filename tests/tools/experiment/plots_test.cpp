#include "tools/experiment/plots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tests/support/paths.h"
#include "tests/tools/experiment/require_gnuplot.h"
#include "tests/tools/experiment/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;
using testing::TemporaryFolder;

const Series& series_named(const Panel& panel, const std::string& name) {
  const auto found = std::find_if(panel.series.begin(), panel.series.end(),
                                  [&](const Series& series) { return series.name == name; });
  if (found == panel.series.end()) throw std::out_of_range("no series " + name);
  return *found;
}

void expect_everything_inside(const Figure& figure) {
  for (const Panel& panel : figure.panels) {
    EXPECT_LT(panel.y_low, panel.y_high);
    for (const Series& series : panel.series) {
      for (const auto& [x, y] : series.points) {
        EXPECT_GE(x, figure.x_low);
        EXPECT_LE(x, figure.x_high);
        EXPECT_GE(y, panel.y_low);
        EXPECT_LE(y, panel.y_high);
      }
    }
  }
}

TEST(Plots, AccuracyHasALineAMethodAndScheduleBySparsity) {
  std::vector<RunRecord> runs = sample_study();
  std::reverse(runs.begin(), runs.end());
  const Figure figure = accuracy_figure(runs);
  ASSERT_EQ(figure.panels.size(), 1u);
  const Series& line = series_named(figure.panels[0], "channel, exact");
  ASSERT_EQ(line.points.size(), 3u);
  EXPECT_NEAR(line.points[0].first, 29.54, 0.01);
  EXPECT_NEAR(line.points[0].second, 85.6, 1e-9);
  EXPECT_NEAR(line.points[2].second, 73.01, 1e-9);
  EXPECT_EQ(figure.panels[0].series.size(), 4u + 2);
}

TEST(Plots, BaselineIsADashedLineAcross) {
  const Figure figure = accuracy_figure(sample_study());
  const Series& baseline = series_named(figure.panels[0], "unpruned");
  EXPECT_EQ(baseline.dash, Dash::dashed);
  EXPECT_NEAR(baseline.points.front().second, 89.8, 1e-9);
  EXPECT_EQ(baseline.points.front().first, figure.x_low);
  EXPECT_EQ(baseline.points.back().first, figure.x_high);
}

TEST(Plots, ColoursDifferWithinAPlotAndAgreeBetweenPlots) {
  const std::vector<RunRecord> runs = sample_study();
  const Panel accuracy = accuracy_figure(runs).panels[0];
  const Panel latency = latency_figure(runs).panels[0];
  std::set<std::string> colours;
  for (const std::string line :
       {"magnitude, one-shot", "magnitude, exact", "channel, one-shot", "channel, exact"}) {
    const std::string colour = series_named(accuracy, line).colour;
    EXPECT_TRUE(colours.insert(colour).second) << line;
    EXPECT_EQ(series_named(latency, line + ", dense").colour, colour);
    EXPECT_EQ(series_named(latency, line + ", sparse").colour, colour);
    EXPECT_NE(series_named(latency, line + ", dense").dash,
              series_named(latency, line + ", sparse").dash);
  }
  // A study without one method paints the other as before.
  const Figure alone = accuracy_figure({sample_run("channel", "exact", 0.5, 0.7)});
  EXPECT_EQ(series_named(alone.panels[0], "channel, exact").colour,
            series_named(accuracy, "channel, exact").colour);
}

TEST(Plots, LatencyShowsSmallestAndLargestBatchAtFewestThreads) {
  std::vector<RunRecord> runs = sample_study();
  for (RunRecord& run : runs) run.latency.push_back({"dense", 8, 1, 10, 0.6});
  const Figure figure = latency_figure(runs);
  ASSERT_EQ(figure.panels.size(), 2u);
  EXPECT_EQ(figure.panels[0].title, "batch 1");
  EXPECT_EQ(figure.panels[1].title, "batch 64");
  EXPECT_EQ(figure.title, "Latency after pruning, 1 thread, Sample CPU 9000");
  const Series& line = series_named(figure.panels[1], "magnitude, one-shot, sparse");
  EXPECT_EQ(line.points.at(1).second, runs[2].latency[5].median);
}

TEST(Plots, LatencyOfOneBatchHasOnePanel) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9)};
  runs[0].latency = {{"dense", 4, 2, 10, 0.5}};
  const Figure figure = latency_figure(runs);
  ASSERT_EQ(figure.panels.size(), 1u);
  EXPECT_EQ(figure.panels[0].series.size(), 2u);
}

TEST(Plots, NothingFallsOutsideTheAxes) {
  std::vector<std::vector<RunRecord>> studies = {sample_study(),
                                                 {sample_run("none", "none", 0, 0.9)},
                                                 {sample_run("none", "none", 0, 1)},
                                                 {sample_run("magnitude", "exact", 0.999, 0)}};
  for (const auto& runs : studies) {
    expect_everything_inside(accuracy_figure(runs));
    expect_everything_inside(latency_figure(runs));
    expect_everything_inside(nonzero_figure(runs));
  }
}

TEST(Plots, WritesThreePlotsAsSvgAndPng) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const std::vector<std::vector<RunRecord>> studies = {
      sample_study(), {sample_run("none", "none", 0, 0.9)}, {sample_run("other", "odd", 0.5, 0.7)}};
  for (const auto& runs : studies) {
    const TemporaryFolder folder;
    const std::vector<std::string> paths = write_plots(runs, folder.path());
    ASSERT_EQ(paths.size(), 6u);
    for (const std::string name : {"accuracy", "latency", "nonzero_parameters"}) {
      const std::vector<char> svg = read_file(folder.file(name + ".svg"));
      EXPECT_NE(std::string(svg.begin(), svg.end()).find("</svg>"), std::string::npos);
      EXPECT_GT(read_file(folder.file(name + ".png")).size(), 5000u);
    }
    const auto files = std::filesystem::directory_iterator(folder.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 6);
  }
}

TEST(Plots, WithoutLatencyTheOthersAreStillDrawn) {
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const TemporaryFolder folder;
  RunRecord run = sample_run("none", "none", 0, 0.9);
  run.latency.clear();
  EXPECT_EQ(write_plots({run}, folder.path()).size(), 4u);
  EXPECT_FALSE(std::filesystem::exists(folder.file("latency.png")));
}

TEST(Plots, NoRunsOrNoFolderIsAnError) {
  EXPECT_THROW(write_plots({}, "/tmp"), std::invalid_argument);
  EDGEPRUNE_REQUIRE_GNUPLOT();
  const TemporaryFolder folder;
  EXPECT_THROW(write_plots(sample_study(), folder.file("missing")), FileError);
}

}  // namespace
}  // namespace edgeprune
