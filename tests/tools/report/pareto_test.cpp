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
  EXPECT_EQ(front[1].ms, 0.5);
  EXPECT_EQ(front[1].factor, 2);
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

TEST(Pareto, WithoutTimesThereIsNoFigure) {
  RunRecord run = sample_run("none", "none", 0, 0.9);
  run.latency.clear();
  EXPECT_THROW(pareto_figure(Results({run})), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
