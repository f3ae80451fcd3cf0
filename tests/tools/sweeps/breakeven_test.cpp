#include "tools/sweeps/breakeven.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/inference/int8_graph.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "tests/support/sample_sweep.h"

namespace edgeprune {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double crossing(std::vector<std::pair<double, double>> points) {
  const BreakEven result = break_even(std::move(points));
  EXPECT_EQ(result.kind, BreakEven::Kind::at);
  return result.sparsity;
}

TEST(BreakEven, IsWhereALineCrossesOne) {
  EXPECT_DOUBLE_EQ(crossing({{0, 0.5}, {0.5, 1.5}}), 0.25);
  EXPECT_DOUBLE_EQ(crossing({{0, 0.5}, {0.4, 0.9}, {0.8, 1.3}, {0.9, 2}}), 0.5);
  EXPECT_DOUBLE_EQ(crossing({{0.3, 0.8}, {0.6, 1}, {0.9, 2}}), 0.6);
}

TEST(BreakEven, IsTheLastCrossing) {
  EXPECT_DOUBLE_EQ(crossing({{0, 1.01}, {0.2, 0.9}, {0.4, 1.1}}), 0.3);
  EXPECT_DOUBLE_EQ(crossing({{0, 0.9}, {0.2, 1.1}, {0.4, 0.5}, {0.6, 1.5}}), 0.5);
}

TEST(BreakEven, AlwaysAndNever) {
  EXPECT_EQ(break_even({{0, 1}, {0.5, 1.2}}).kind, BreakEven::Kind::always);
  EXPECT_EQ(break_even({{0, 0.5}, {0.9, 0.99}}).kind, BreakEven::Kind::never);
  EXPECT_EQ(break_even({{0, 1.5}, {0.9, 0.99}}).kind, BreakEven::Kind::never)
      << "at the highest level dense is faster";
  EXPECT_EQ(break_even({{0.5, 1.1}}).kind, BreakEven::Kind::always);
  EXPECT_EQ(break_even({{0.5, 0.9}}).kind, BreakEven::Kind::never);
}

TEST(BreakEven, OrderAndWhatIsNoNumberDoNotMatter) {
  EXPECT_DOUBLE_EQ(crossing({{0.5, 1.5}, {0.25, kNan}, {0, 0.5}}), 0.25);
  EXPECT_DOUBLE_EQ(crossing({{0, 0.5}, {0.9, INFINITY}, {0.5, 1.5}}), 0.25);
  EXPECT_DOUBLE_EQ(crossing({{0.5, 0.5}, {0.5, 1.5}}), 0.5) << "the same sparsity twice";
}

TEST(BreakEven, WithoutMeasurementsThereIsNone) {
  EXPECT_THROW(break_even({}), std::invalid_argument);
  EXPECT_THROW(break_even({{0.5, kNan}}), std::invalid_argument);
}

TEST(BreakEven, IsSaidInWordsOrPercent) {
  EXPECT_EQ(to_string(BreakEven{BreakEven::Kind::at, 0.4321}), "43.2 %");
  EXPECT_EQ(to_string(BreakEven{BreakEven::Kind::always, 0}), "always");
  EXPECT_EQ(to_string(BreakEven{BreakEven::Kind::never, 0}), "never");
}

TEST(BreakEven, RangesFollowFromTheIntervals) {
  const BreakEvenRange range =
      break_even_range({{0, Interval{0.5, 0.4, 0.75}}, {0.5, Interval{1.5, 1.4, 1.75}}});
  EXPECT_DOUBLE_EQ(range.at.sparsity, 0.25);
  EXPECT_DOUBLE_EQ(range.earliest.sparsity, 0.125);
  EXPECT_DOUBLE_EQ(range.latest.sparsity, 0.3);
  EXPECT_EQ(to_string(range), "25.0 % (12.5 % to 30.0 %)");
  EXPECT_EQ(to_string(break_even_range({{0.5, Interval{1.1, 1.05, 1.2}}})), "always");
  EXPECT_EQ(
      to_string(break_even_range({{0, Interval{0.9, 0.8, 1.05}}, {0.5, Interval{1.1, 0.9, 1.2}}})),
      "25.0 % (always to never)");
}

// Dense jumped from 0.82 to 6.71 ms between two levels, and sparse seemed 5.51 times as fast.
TEST(BreakEven, ADisturbanceOfBothIsNoSpeedUp) {
  Sweep sweep = testing::sample_sweep();
  for (LatencyResult& result : sweep.results[2]) {
    result.cell.median *= 8;  // as it was timed, all engines in turns, at a bad hour
    for (StepTime& step : result.steps) step.median_ms *= 8;
  }
  sweep.results[2][0].cell.factor = testing::exactly(1.0 / 8);
  EXPECT_DOUBLE_EQ(sweep.speedup(2, 1), 1);
  EXPECT_DOUBLE_EQ(sweep.network_break_even(1).at.sparsity, 0.75);
  EXPECT_EQ(
      disturbance(sweep).value(),
      "dense kernels do the same work at all levels, but were 0.12 times as fast at 75 % as at "
      "0 %: something disturbed the times");
  EXPECT_FALSE(disturbance(testing::sample_sweep()));
}

TEST(Levels, AreSortedFractionsEachOnce) {
  EXPECT_EQ(sorted_levels({0.8, 0, 0.5, 0.8}), (std::vector<double>{0, 0.5, 0.8}));
}

TEST(Levels, OutOfRangeAreRejected) {
  EXPECT_THROW(sorted_levels({}), std::invalid_argument);
  for (const double level : {-0.01, 1.0, 50.0, kNan, double(INFINITY)}) {
    EXPECT_THROW(sorted_levels({0.5, level}), std::invalid_argument) << level;
  }
}

TEST(Levels, EachIsPrunedToExactly) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  const auto graphs = prune_to_levels(model, {0, 0.5, 0.9});
  ASSERT_EQ(graphs.size(), 3u);
  for (const PrunedGraph& pruned : graphs) {
    double zeros = 0, weights = 0;
    for (const inference::Layer& layer : pruned.graph->layers) {
      if (layer.kind != inference::Layer::Kind::convolution) continue;
      for (const float w : layer.weight.values()) zeros += w == 0;
      weights += double(layer.weight.count());
    }
    EXPECT_NEAR(zeros / weights, pruned.level, 1e-5);
  }
}

TEST(Levels, BelowTheZerosOfAPrunedModelAreRefused) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  prune_to_levels(model, {0.6});
  EXPECT_EQ(prune_to_levels(model, {0.6, 0.8}).size(), 2u)
      << "a level that is met already is none below";
  try {
    prune_to_levels(model, {0.5, 0.9});
    FAIL() << "expected an error";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(
        error.what(),
        "[levels] 80.0 % of the prunable weights are zero already: levels below that are out "
        "of reach, got 50");
  }
}

TEST(Levels, InIntegersHaveAsManyZerosAtLeast) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  for (const PrunedGraph& pruned : prune_to_levels(model, {0.5, 0.9}, Numbers::integers)) {
    ASSERT_NE(pruned.graph->integers, nullptr);
    double zeros = 0, weights = 0;
    for (const inference::QuantizedLayer& layer : pruned.graph->integers->layers) {
      zeros += double(std::ranges::count(layer.weights, 0));
      weights += double(layer.weights.size());
    }
    EXPECT_GE(zeros / weights, pruned.level - 1e-5);
    EXPECT_LT(zeros / weights, pruned.level + 0.05) << "and those that round to zero";
  }
}

TEST(Sweep, EnginesAreOfOneKindOfNumbers) {
  using inference::Engine;
  EXPECT_EQ(numbers_of({Engine::dense, Engine::sparse}), Numbers::floats);
  EXPECT_EQ(numbers_of(breakeven_engines()), Numbers::floats);
  EXPECT_EQ(numbers_of({Engine::int8, Engine::int8_sparse}), Numbers::integers);
  EXPECT_EQ(numbers_of(breakeven_engines(Numbers::integers)), Numbers::integers);
  for (const std::vector<Engine>& wrong : {std::vector<Engine>{},
                                           {Engine::int8},
                                           {Engine::sparse, Engine::dense},
                                           {Engine::automatic},
                                           {Engine::dense, Engine::int8_sparse},
                                           {Engine::int8, Engine::int8_sparse, Engine::onednn}}) {
    EXPECT_THROW(numbers_of(wrong), std::invalid_argument);
  }
}

TEST(Sweep, SpeedUpsAreAgainstDenseAtTheSameLevel) {
  const Sweep sweep = testing::sample_sweep();
  EXPECT_DOUBLE_EQ(sweep.speedup(0, 0), 1);
  EXPECT_DOUBLE_EQ(sweep.speedup(0, 1), 3 / 4.5);
  EXPECT_DOUBLE_EQ(sweep.speedup(2, 2), 3 / 2.0);
  EXPECT_DOUBLE_EQ(sweep.network_break_even(1).at.sparsity, 0.75) << "3 ms of 3 at the last level";
  EXPECT_EQ(sweep.network_break_even(2).at.kind, BreakEven::Kind::always);
}

TEST(Sweep, LayersBreakEvenInTheirOwnSparsity) {
  const auto curves = layer_curves(testing::sample_sweep());
  ASSERT_EQ(curves.size(), 2u) << "the depthwise layer has no sparse kernel";
  EXPECT_EQ(curves[0].name, "expand");
  EXPECT_EQ(curves[0].shape, "2→4, 4×4");
  EXPECT_EQ(curves[0].sparsity, (std::vector<double>{0, 0.25, 0.75}));
  EXPECT_DOUBLE_EQ(curves[0].speedup(0, 1), 0.5);
  EXPECT_DOUBLE_EQ(curves[0].break_even(1).at.sparsity, 0.25);
  EXPECT_EQ(curves[1].break_even(1).at.kind, BreakEven::Kind::always);
}

TEST(Sweep, ALayersFactorIsOfItsRounds) {
  Sweep sweep = testing::sample_sweep();
  for (LatencyResult& result : sweep.results[0]) {
    for (StepTime& step : result.steps) {
      step.rounds.assign(9, step.median_ms);
      step.rounds[3] *= 7;  // in that round the machine was slow, for all
    }
  }
  sweep.results[0][1].steps[0].rounds[5] *= 9;  // and once for sparse alone
  sweep.results[0][1].steps[0].median_ms *= 4;  // which a median of its own does not survive
  const LayerCurve curve = layer_curves(sweep)[0];
  EXPECT_DOUBLE_EQ(curve.factor[0][1].median, 0.5);
  EXPECT_DOUBLE_EQ(curve.factor[0][1].high, 0.5);
  EXPECT_EQ(curve.factor[0][0].median, 1);
}

TEST(Sweep, MillisecondsAreAtThePaceOfTheFirstLevel) {
  Sweep sweep = testing::sample_sweep();
  sweep.results[1][1].cell.factor = Factor{{1.5, 1.2, 2}, 20};
  const Interval ms = sweep.milliseconds(1, 1);
  EXPECT_DOUBLE_EQ(ms.median, 2);
  EXPECT_DOUBLE_EQ(ms.low, 1.5);
  EXPECT_DOUBLE_EQ(ms.high, 2.5);
  EXPECT_DOUBLE_EQ(sweep.milliseconds(2, 0).median, 3);
}

TEST(Sweep, AllOtherLayersAreTakenTogether) {
  EXPECT_DOUBLE_EQ(speedup_of_others(testing::sample_sweep(), 0, 1), 0.5);
}

TEST(Sweep, ALayerThatAnEngineDoesNotTimeIsNotANumber) {
  Sweep sweep = testing::sample_sweep();
  sweep.results[1][1].steps.erase(sweep.results[1][1].steps.begin());
  const auto curves = layer_curves(sweep);
  EXPECT_TRUE(std::isnan(curves[0].speedup(1, 1)));
  EXPECT_EQ(curves[0].break_even(1).at.kind, BreakEven::Kind::at) << "from the other levels";
}

TEST(Sweep, MeasuresEveryLevelOnEveryEngine) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  const auto levels = prune_to_levels(model, {0, 0.9});
  const Sweep sweep = measure_sweep(
      levels, breakeven_engines(), 2, 1,
      {.seconds = 0, .min_samples = 2, .warmup_seconds = 0, .warmup_runs = 1, .min_sample_ms = 0});
  ASSERT_EQ(sweep.results.size(), 2u);
  for (const auto& engines : sweep.results) {
    ASSERT_EQ(engines.size(), breakeven_engines().size());
    for (size_t e = 0; e < engines.size(); ++e) {
      EXPECT_EQ(engines[e].cell.engine, to_string(breakeven_engines()[e]));
      EXPECT_EQ(engines[e].cell.batch, 2);
      EXPECT_FALSE(engines[e].steps.empty());
      EXPECT_GE(engines[e].cell.factor.value().rounds, 5);
      EXPECT_EQ(std::ssize(engines[e].steps[0].rounds), engines[e].cell.factor->rounds);
    }
  }
  for (const LayerCurve& curve : sweep.curves) {
    for (size_t e = 0; e < breakeven_engines().size(); ++e)
      EXPECT_GT(curve.speedup(1, e), 0) << curve.name;
  }
}

// The engine int8-sparse leaves layers of few zeros to dense kernels; where it breaks even that does not tell.
TEST(Sweep, OfIntegersSkipsZerosInAllLayersThatCan) {
  nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  const Sweep sweep = measure_sweep(
      prune_to_levels(model, {0.1}, Numbers::integers),
      {inference::Engine::int8, inference::Engine::int8_sparse}, 1, 1,
      {.seconds = 0, .min_samples = 2, .warmup_seconds = 0, .warmup_runs = 1, .min_sample_ms = 0});
  ASSERT_EQ(sweep.results[0].size(), 2u);
  EXPECT_EQ(sweep.curves.size(), 34u) << "all 1x1 layers but the last";
  for (const LayerCurve& curve : sweep.curves) {
    EXPECT_FALSE(curve.time[0][0].kernel.starts_with("int8 sparse")) << curve.name;
    EXPECT_TRUE(curve.time[0][1].kernel.starts_with("int8 sparse")) << curve.name;
  }
}

}  // namespace
}  // namespace edgeprune
