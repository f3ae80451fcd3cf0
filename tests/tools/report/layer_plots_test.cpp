#include "tools/report/layer_plots.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;

TEST(LayerPlots, MapHasALineALayerAndAColumnASchedule) {
  const HeatMap map = layer_sparsity_map(Results(sample_study()));
  ASSERT_EQ(map.columns.size(), 4u);
  EXPECT_EQ(map.columns[0], "magnitude\none-shot\n50 %");
  ASSERT_EQ(map.rows.size(), 3u);
  EXPECT_EQ(map.rows[1].name, "classifier.1");
  EXPECT_NEAR(map.rows[0].ratios[0], 0.5, 1e-12);
  EXPECT_NEAR(map.rows[1].ratios[0], 0.45, 1e-12);
  EXPECT_EQ(map.rows[1].remark, "13 k");
  EXPECT_NEAR(map.rows[2].ratios[0], 0.5, 1e-12);  // all prunable weights
  EXPECT_EQ(map.shade, Shade::share);
}

TEST(LayerPlots, ALayerThatARowLacksStaysEmpty) {
  std::vector<RunRecord> runs = {sample_run("magnitude", "one-shot", 0.5, 0.9),
                                 sample_run("channel", "one-shot", 0.5, 0.9)};
  runs[1].layers.erase(runs[1].layers.begin());
  EXPECT_TRUE(std::isnan(layer_sparsity_map(Results(runs)).rows[0].ratios[1]));
}

TEST(LayerPlots, CurvesAreTheBaselinesAndEachScheduleFurthest) {
  std::vector<RunRecord> runs = sample_study();
  runs[3].curve = {{1, 0.5, 0.8}, {2, 0.25, 0.9}};  // magnitude one-shot 70
  const Figure figure = curve_figure(Results(runs));
  ASSERT_EQ(figure.panels.size(), 2u);
  ASSERT_EQ(figure.panels[0].series.size(), 5u);
  EXPECT_EQ(figure.panels[0].series[0].name, "baseline");
  EXPECT_EQ(figure.panels[0].series[0].points.size(), 15u);
  const Series& series = figure.panels[1].series[1];
  EXPECT_EQ(series.name, "magnitude, one-shot 70 %");
  const std::vector<std::pair<double, double>> points = {{1, 80}, {2, 90}};
  EXPECT_EQ(series.points, points);
}

TEST(LayerPlots, RecordsWithoutLayersOrCurvesHaveNone) {
  RunRecord run = sample_run("magnitude", "one-shot", 0.5, 0.9);
  EXPECT_TRUE(has_layers(Results({run})));
  EXPECT_TRUE(has_curves(Results({run})));
  run.layers.clear();
  run.curve.clear();
  const Results results({run});
  EXPECT_FALSE(has_layers(results));
  EXPECT_FALSE(has_curves(results));
  EXPECT_THROW(layer_sparsity_map(results), std::invalid_argument);
  EXPECT_THROW(curve_figure(results), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
