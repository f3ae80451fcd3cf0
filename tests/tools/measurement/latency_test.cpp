#include "tools/measurement/latency.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/nn/network.h"
#include "models/fold.h"
#include "models/mobilenet_v2.h"
#include "tools/cli/interrupt.h"
#include "tools/measurement/rounds.h"

namespace edgeprune {
namespace {

using inference::Engine;

std::shared_ptr<const inference::Graph> small_graph() {
  const nn::Network model(mobilenet_v2(0.25, 32, 10), 0);
  return std::make_shared<const inference::Graph>(fold_batch_norm(model));
}

TEST(Latency, CasesAreEveryCombination) {
  const auto graph = small_graph();
  const auto cases = latency_cases(graph, {Engine::dense, Engine::sparse}, {1, 64}, {1, 2});
  ASSERT_EQ(cases.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(cases[i].graph, graph);
    EXPECT_EQ(cases[i].engine, i % 2 ? Engine::sparse : Engine::dense);
    EXPECT_EQ(cases[i].batch, i / 2 % 2 ? 64 : 1);
    EXPECT_EQ(cases[i].threads, i / 4 ? 2 : 1);
    EXPECT_EQ(cases[i].reference, i / 2 * 2) << "dense, at the same batch and threads";
  }
}

/// Next to no measuring.
constexpr LatencyOptions kShort = {
    .seconds = 0, .min_samples = 5, .warmup_seconds = 0, .warmup_runs = 1, .min_sample_ms = 0};

TEST(Latency, CellsDescribeTheirCasesAndAreOrdered) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1, 3}, {1, 2});
  const int threads = thread_count();
  const auto results = measure_latency(cases, kShort);
  EXPECT_EQ(thread_count(), threads);
  ASSERT_EQ(results.size(), cases.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const LatencyCell& cell = results[i].cell;
    EXPECT_EQ(cell.engine, to_string(cases[i].engine));
    EXPECT_EQ(cell.batch, cases[i].batch);
    EXPECT_EQ(cell.threads, cases[i].threads);
    EXPECT_GE(cell.samples, 5);
    EXPECT_GT(cell.min, 0);
    EXPECT_LE(cell.min, cell.median);
    EXPECT_LE(cell.median, cell.p90);
    EXPECT_LE(cell.p90, cell.p99);
    EXPECT_LE(cell.p99, cell.max);
    EXPECT_GE(cell.mean, cell.min);
    EXPECT_LE(cell.mean, cell.max);
    EXPECT_GT(cell.cpu_ms.value(), 0.5 * cell.min) << "no thread works for nothing";
    EXPECT_EQ(results[i].rounds.size(), results[0].rounds.size());
    EXPECT_EQ(factor_of(results[cases[i].reference].rounds, results[i].rounds).median,
              cell.factor->median);
  }
}

TEST(Latency, RawSamplesAreThoseOfTheCell) {
  const auto results =
      measure_latency(latency_cases(small_graph(), {Engine::dense}, {2}, {1}), kShort);
  const std::vector<double>& samples = results.at(0).samples;
  const LatencyCell& cell = results[0].cell;
  EXPECT_EQ(int64_t(samples.size()), cell.samples);
  EXPECT_EQ(*std::min_element(samples.begin(), samples.end()), cell.min);
  EXPECT_EQ(*std::max_element(samples.begin(), samples.end()), cell.max);
}

TEST(Latency, ArenaGrowsWithTheBatch) {
  const auto results =
      measure_latency(latency_cases(small_graph(), {Engine::dense}, {1, 4}, {1}), kShort);
  EXPECT_GT(results.at(0).arena_bytes, 0);
  EXPECT_GT(results.at(1).arena_bytes, results[0].arena_bytes);
}

TEST(Latency, EveryCaseHasItsFactorAgainstItsReference) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1, 8}, {1});
  const auto results = measure_latency(
      cases, {.seconds = 0.2, .min_samples = 1, .warmup_seconds = 0, .min_sample_ms = 0.5});
  for (size_t i = 0; i < results.size(); ++i) {
    const Factor factor = results[i].cell.factor.value();
    EXPECT_GE(factor.rounds, 5);
    EXPECT_LE(factor.low, factor.median);
    EXPECT_LE(factor.median, factor.high);
    if (i % 2 == 0) {
      EXPECT_EQ(factor.low, 1) << "its own reference";
    }
    // The medians over all the samples say about the same, in turns as they are.
    const double ratio = results[i / 2 * 2].cell.median / results[i].cell.median;
    EXPECT_NEAR(factor.median, ratio, 0.5 * ratio);
    EXPECT_TRUE(results[i].cell.load.has_value());
  }
}

// Dense against dense: whatever the machine does meanwhile, the truth is 1.
TEST(Latency, TheSameWorkIsAsFastAsItself) {
  const auto graph = small_graph();
  const std::vector<LatencyCase> cases = {{graph, Engine::dense, 1, 1, 0},
                                          {graph, Engine::dense, 1, 1, 0}};
  const auto results = measure_latency(
      cases, {.seconds = 0.5, .min_samples = 1, .warmup_seconds = 0.1, .min_sample_ms = 0.5});
  EXPECT_NEAR(results[1].cell.factor->median, 1, 0.15);
}

TEST(Latency, EveryCaseIsMeasuredForTheTimeAskedFor) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1, 8}, {1});
  const auto results = measure_latency(
      cases, {.seconds = 0.1, .min_samples = 1, .warmup_seconds = 0, .min_sample_ms = 2});
  for (size_t i = 0; i < results.size(); ++i) {
    double milliseconds = 0;  // about: how many runs a sample averages is not told
    for (const double sample : results[i].samples) {
      milliseconds += sample * std::max(2.0 / results[i].cell.min, double(cases[i].batch));
    }
    EXPECT_GT(milliseconds, 60);
    EXPECT_LE(results[i].cell.samples, 1000) << "samples of about 2 ms";
  }
}

TEST(Latency, WithoutTimeThereAreTheLeastRounds) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1}, {1});
  EXPECT_EQ(measure_latency(cases, kShort).at(1).cell.factor->rounds, 5);
}

TEST(Latency, LayersAreTimedOnRequest) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1, 3}, {1});
  EXPECT_TRUE(measure_latency(cases, kShort).at(0).steps.empty());
  LatencyOptions options = kShort;
  options.per_layer = true;
  const auto results = measure_latency(cases, options);
  for (size_t i = 0; i < results.size(); ++i) {
    const auto steps = inference::Plan(*cases[i].graph, cases[i].engine, cases[i].batch).steps();
    ASSERT_EQ(results[i].steps.size(), steps.size());
    EXPECT_EQ(std::ssize(results[i].steps[0].rounds), results[i].cell.factor->rounds);
    double total = 0;
    for (size_t s = 0; s < steps.size(); ++s) {
      EXPECT_EQ(results[i].steps[s].step.layer, steps[s].layer);
      EXPECT_EQ(results[i].steps[s].step.kernel, steps[s].kernel);
      EXPECT_GE(results[i].steps[s].median_ms, 0);
      total += results[i].steps[s].median_ms;
    }
    EXPECT_GT(total, 0);
    EXPECT_LT(total, 2 * results[i].cell.max) << "milliseconds an image, not a batch";
  }
}

TEST(Latency, NoCasesGiveNoCells) {
  EXPECT_TRUE(measure_latency({}, {}).empty());
}

TEST(Latency, OptionsOutOfRangeAreRejected) {
  const auto cases = latency_cases(small_graph(), {Engine::dense}, {1}, {1});
  EXPECT_THROW(measure_latency(cases, {.seconds = -1}), std::invalid_argument);
  EXPECT_THROW(measure_latency(cases, {.min_samples = 0}), std::invalid_argument);
  EXPECT_THROW(measure_latency(cases, {.warmup_seconds = -1}), std::invalid_argument);
}

TEST(Latency, StopsOnCtrlC) {
  const auto cases = latency_cases(small_graph(), {Engine::dense}, {1}, {1});
  const InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_THROW(measure_latency(cases, {}), Interrupted);
}

}  // namespace
}  // namespace edgeprune
