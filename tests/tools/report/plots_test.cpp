#include "tools/report/plots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::compact;
using testing::sample_run;
using testing::sample_study;

const Series& series_named(const Panel& panel, std::string_view name) {
  const auto found = std::find_if(panel.series.begin(), panel.series.end(),
                                  [&](const Series& series) { return series.name == name; });
  if (found == panel.series.end()) throw std::out_of_range("no series " + std::string(name));
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
      for (const auto& [low, high] : series.y_bars) {
        EXPECT_GE(low, panel.y_low);
        EXPECT_LE(high, panel.y_high);
      }
    }
  }
}

TEST(Plots, AccuracyHasALineAMethodAndScheduleBySparsity) {
  std::vector<RunRecord> runs = sample_study();
  std::reverse(runs.begin(), runs.end());
  const Figure figure = accuracy_figure(Results(runs));
  ASSERT_EQ(figure.panels.size(), 1u);
  const Series& line = series_named(figure.panels[0], "channel, exact");
  ASSERT_EQ(line.points.size(), 3u);
  EXPECT_NEAR(line.points[0].first, 29.54, 0.01);
  EXPECT_NEAR(line.points[0].second, 85.6, 1e-9);
  EXPECT_NEAR(line.points[2].second, 73.01, 1e-9);
  EXPECT_EQ(figure.panels[0].series.size(), 4u + 2 + 1);
}

TEST(Plots, AccuracyShowsTheOriginalFiguresOfCommonRows) {
  const Figure figure = accuracy_figure(Results(sample_study()));
  const Series& original = series_named(figure.panels[0], "the original study's rows");
  ASSERT_EQ(original.points.size(), 6u);  // one-shot; it has no exact ones
  EXPECT_EQ(original.points[4], std::pair(49.0, 66.8));
  EXPECT_EQ(original.dash, Dash::none);
  const Figure none = accuracy_figure(Results({sample_run("channel", "exact", 0.5, 0.7)}));
  EXPECT_THROW(series_named(none.panels[0], "the original study's rows"), std::out_of_range);
  const Figure own = accuracy_figure(Results(sample_study(), StudyAbout{.cifar10 = false}));
  EXPECT_THROW(series_named(own.panels[0], "the original study's rows"), std::out_of_range);
}

TEST(Plots, BaselineIsADashedLineAcross) {
  const Figure figure = accuracy_figure(Results(sample_study()));
  const Series& baseline = series_named(figure.panels[0], "unpruned");
  EXPECT_EQ(baseline.dash, Dash::dashed);
  EXPECT_NEAR(baseline.points.front().second, 89.8, 1e-9);
  EXPECT_EQ(baseline.points.front().first, figure.x_low);
  EXPECT_EQ(baseline.points.back().first, figure.x_high);
}

TEST(Plots, ColoursDifferWithinAPlotAndAgreeBetweenPlots) {
  const std::vector<RunRecord> runs = sample_study();
  const Panel accuracy = accuracy_figure(Results(runs)).panels[0];
  const Panel nonzero = nonzero_figure(Results(runs)).panels[0];
  std::set<std::string> colours;
  for (const std::string line :
       {"magnitude, one-shot", "magnitude, exact", "channel, one-shot", "channel, exact"}) {
    const std::string colour = series_named(accuracy, line).colour;
    EXPECT_TRUE(colours.insert(colour).second) << line;
    EXPECT_EQ(series_named(nonzero, line).colour, colour);
  }
  // A study without one method paints the other as before.
  const Figure alone = accuracy_figure(Results({sample_run("channel", "exact", 0.5, 0.7)}));
  EXPECT_EQ(series_named(alone.panels[0], "channel, exact").colour,
            series_named(accuracy, "channel, exact").colour);
}

TEST(Plots, LatencyTellsVariantsByColourAndEnginesByDashes) {
  const std::vector<RunRecord> runs = sample_study();
  const Panel accuracy = accuracy_figure(Results(runs)).panels[0];
  const Panel latency = latency_figure(Results(runs)).panels[0];
  for (const std::string method : {"magnitude", "channel"}) {
    const Series& dense = series_named(latency, method + ", dense");
    const Series& sparse = series_named(latency, method + ", sparse");
    EXPECT_EQ(dense.colour, series_named(accuracy, method + ", one-shot").colour);
    EXPECT_EQ(sparse.colour, dense.colour);
    EXPECT_NE(dense.dash, sparse.dash);
    EXPECT_NE(dense.marker, sparse.marker);
  }
}

TEST(Plots, EveryVariantScheduleAndRecoveryHasItsLine) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("magnitude", "compounding", 0.5, 0.8),
                                 sample_run("magnitude", "cubic", 0.5, 0.81),
                                 sample_run("lamp", "one-shot", 0.5, 0.82),
                                 sample_run("channel", "exact", 0.5, 0.7),
                                 compact(sample_run("channel", "exact", 0.5, 0.71)),
                                 sample_run("channel", "exact", 0.6, 0.72),
                                 sample_run("channel", "one-shot", 0.6, 0.73)};
  runs[6].mode = "group-mask";
  runs[7].recovery = "rewind";
  const Panel panel = accuracy_figure(Results(runs)).panels[0];
  std::set<std::string> looks;
  for (const std::string line :
       {"magnitude, compounding", "magnitude, cubic", "lamp, one-shot", "channel, exact",
        "compact channels, exact", "channel groups, exact", "channel, with recovery"}) {
    const Series& series = series_named(panel, line);
    EXPECT_EQ(series.points.size(), 1u) << line;
    EXPECT_TRUE(looks.insert(series.colour).second) << line;
  }
  EXPECT_EQ(series_named(panel, "channel, with recovery").dash, Dash::none);
}

TEST(Plots, LatencyShowsSmallestAndLargestBatchAtFewestThreads) {
  std::vector<RunRecord> runs = sample_study();
  for (RunRecord& run : runs) run.latency.push_back({"dense", 8, 1, 10, 0.6});
  const Figure figure = latency_figure(Results(runs));
  ASSERT_EQ(figure.panels.size(), 2u);
  EXPECT_EQ(figure.panels[0].title, "batch 1");
  EXPECT_EQ(figure.panels[1].title, "batch 64");
  EXPECT_EQ(figure.title, "Latency after pruning, 1 thread, Sample CPU 9000");
  // One-shot and exact rows at 50 % are averaged.
  const Series& line = series_named(figure.panels[1], "magnitude, sparse");
  ASSERT_EQ(line.points.size(), 3u);
  const double pace = runs[0].latency[4].median;  // the unpruned network's, on dense kernels
  const double mean =
      pace * (1 / runs[2].latency[5].factor->median + 1 / runs[8].latency[5].factor->median) / 2;
  EXPECT_NEAR(line.points[1].second, mean, 1e-12);
  EXPECT_NEAR(line.y_bars.at(1).first, mean / 1.01, 1e-12);
  EXPECT_NEAR(line.y_bars.at(1).second, mean / 0.99, 1e-12);
}

TEST(Plots, LatencyLeavesNoisyTimesOutAndShowsOldOnesAsTheyAre) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("magnitude", "one-shot", 0.3, 0.9),
                                 sample_run("magnitude", "one-shot", 0.7, 0.9)};
  for (LatencyCell& cell : runs[1].latency) cell.factor = testing::within(9, 0.01);
  const auto line = [&] {
    return series_named(latency_figure(Results(runs)).panels[0], "magnitude, sparse");
  };
  EXPECT_EQ(line().points.size(), 1u);
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor.reset();
  }
  ASSERT_EQ(line().points.size(), 2u);
  EXPECT_EQ(line().points[0].second, runs[1].latency[1].median);
  EXPECT_TRUE(line().y_bars.empty());
}

TEST(Plots, LatencyOfOneBatchHasOnePanel) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9)};
  runs[0].latency = {{"dense", 4, 2, 10, 0.5}};
  const Figure figure = latency_figure(Results(runs));
  ASSERT_EQ(figure.panels.size(), 1u);
  EXPECT_EQ(figure.panels[0].series.size(), 2u);
}

TEST(Plots, NothingFallsOutsideTheAxes) {
  std::vector<std::vector<RunRecord>> studies = {sample_study(),
                                                 {sample_run("none", "none", 0, 0.9)},
                                                 {sample_run("none", "none", 0, 1)},
                                                 {sample_run("magnitude", "exact", 0.999, 0)}};
  for (const auto& runs : studies) {
    expect_everything_inside(accuracy_figure(Results(runs)));
    expect_everything_inside(latency_figure(Results(runs)));
    expect_everything_inside(nonzero_figure(Results(runs)));
  }
}

TEST(Plots, WithoutTimesThereIsNoLatencyFigure) {
  RunRecord run = sample_run("none", "none", 0, 0.9);
  run.latency.clear();
  EXPECT_THROW(latency_figure(Results({run})), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
