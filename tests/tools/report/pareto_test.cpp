#include "tools/report/pareto.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;

RunRecord timed(const std::string& id, double accuracy, double dense, double sparse) {
  RunRecord run = sample_run(id == "baseline" ? "none" : "magnitude", "one-shot", 0.5, accuracy);
  run.id = run.row = id;
  run.latency = {{"dense", 1, 1, 9, dense}, {"sparse", 1, 1, 9, sparse}};
  for (LatencyCell& cell : run.latency) cell.factor = testing::within(1 / cell.median, 0.01);
  return run;
}

Results results() {
  return Results({timed("baseline", 0.90, 1.0, 1.5), timed("slower", 0.89, 1.0, 1.2),
                  timed("faster", 0.88, 1.0, 0.5), timed("beaten", 0.88, 1.0, 0.6),
                  timed("broken", 0.10, 1.0, 0.4)});
}

TEST(Pareto, FrontHoldsWhatNothingBeats) {
  const Results all = results();
  const std::vector<TimedRow> front = pareto_front(all, {1, 1});
  ASSERT_EQ(front.size(), 3u);
  EXPECT_EQ(front[0].row->id, "broken");
  EXPECT_EQ(front[1].row->id, "faster");
  EXPECT_EQ(front[1].engine, "sparse");
  EXPECT_EQ(front[1].ms.median, 0.5);
  EXPECT_EQ(front[1].factor.median, 2);
  EXPECT_EQ(front[2].row->id, "baseline");  // as fast as "slower", and better
  EXPECT_EQ(pareto_table(all).rows().size(), 3u);
}

TEST(Pareto, FigureShowsRowsOnTheirFastestEngineAndLeavesTheHopelessOut) {
  const Figure figure = pareto_figure(results());
  ASSERT_EQ(figure.panels.size(), 1u);
  const Panel& panel = figure.panels[0];
  EXPECT_GT(panel.y_low, 50);
  std::vector<std::pair<double, double>> rows;
  for (const Series& series : panel.series) {
    if (series.name == "magnitude, one-shot") rows = series.points;
    for (const auto& [x, y] : series.points) {
      EXPECT_GE(y, panel.y_low) << series.name;
      EXPECT_LE(y, panel.y_high) << series.name;
      EXPECT_LE(x, figure.x_high) << series.name;
    }
  }
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(panel.series[0].name, "Pareto front");
  // Up from "faster", right at its height, up to the baseline, right to the edge.
  const std::vector<std::pair<double, double>> stairs = {
      {0.5, 88}, {1.0, 88}, {1.0, 90}, {figure.x_high, 90}};
  EXPECT_EQ(panel.series[0].points, stairs);
}

TEST(Pareto, FrontGoesByTheLowerEndAndLeavesNoisyRowsOut) {
  std::vector<RunRecord> runs = {timed("baseline", 0.90, 1.0, 1.5), timed("sure", 0.88, 1.0, 0.5),
                                 timed("lucky", 0.87, 1.0, 0.49), timed("noisy", 0.95, 0.7, 0.1)};
  runs[2].latency[1].factor = Factor{{1 / 0.49, 1.95, 2.1}, 20};
  const Results results(runs);
  const auto front = pareto_front(results, {1, 1});
  ASSERT_EQ(front.size(), 2u);
  EXPECT_EQ(front[0].row->id, "sure");
  EXPECT_EQ(front[1].row->id, "baseline");
  const Figure figure = pareto_figure(results);
  for (const Series& series : figure.panels[0].series) {
    for (const auto& [x, y] : series.points) EXPECT_LT(y, 91) << series.name;
    if (series.name != "magnitude, one-shot") continue;
    EXPECT_EQ(series.x_bars.size(), series.points.size());
  }
}

TEST(Pareto, RowsThatWereNotTimedTogetherMakeNoFigure) {
  std::vector<RunRecord> runs = {timed("baseline", 0.90, 1.0, 1.5)};
  EXPECT_TRUE(has_trusted_times(Results(runs)));
  for (LatencyCell& cell : runs[0].latency) cell.factor.reset();
  EXPECT_FALSE(has_trusted_times(Results(runs)));
  EXPECT_THROW(pareto_figure(Results(runs)), std::invalid_argument);
  EXPECT_TRUE(pareto_table(Results(runs)).rows().empty());
}

TEST(Pareto, WithoutTimesThereIsNoFigure) {
  RunRecord run = sample_run("none", "none", 0, 0.9);
  run.latency.clear();
  EXPECT_THROW(pareto_figure(Results({run})), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
