#include "tools/experiment/latency.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "engine/base/parallel.h"
#include "models/fold.h"
#include "tools/cli/interrupt.h"

namespace edgeprune {
namespace {

using inference::Engine;

std::shared_ptr<const inference::Graph> small_graph() {
  const MobileNetV2 model(Architecture::mobilenet_v2(0.25, 32, 10), 0);
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
  }
}

TEST(Latency, CellsDescribeTheirCasesAndAreOrdered) {
  const auto cases = latency_cases(small_graph(), {Engine::dense, Engine::sparse}, {1, 3}, {1, 2});
  const int threads = thread_count();
  const auto cells =
      measure_latency(cases, {.seconds = 0, .samples = 5, .warmup = 1, .min_sample_ms = 0});
  EXPECT_EQ(thread_count(), threads);
  ASSERT_EQ(cells.size(), cases.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    const LatencyCell& cell = cells[i];
    EXPECT_EQ(cell.engine, to_string(cases[i].engine));
    EXPECT_EQ(cell.batch, cases[i].batch);
    EXPECT_EQ(cell.threads, cases[i].threads);
    EXPECT_EQ(cell.samples, 5);
    EXPECT_GT(cell.min, 0);
    EXPECT_LE(cell.min, cell.median);
    EXPECT_LE(cell.median, cell.p90);
    EXPECT_LE(cell.p90, cell.p99);
    EXPECT_LE(cell.p99, cell.max);
    EXPECT_EQ(cell.p99, cell.max) << "nearest rank: of 5 samples the last";
    EXPECT_GE(cell.mean, cell.min);
    EXPECT_LE(cell.mean, cell.max);
  }
}

TEST(Latency, MeasuresForTheTimeAskedFor) {
  const auto cases = latency_cases(small_graph(), {Engine::dense}, {1}, {1});
  const auto cells =
      measure_latency(cases, {.seconds = 0.2, .samples = 1, .warmup = 1, .min_sample_ms = 2});
  ASSERT_EQ(cells.size(), 1u);
  EXPECT_GT(cells[0].samples, 1);
  EXPECT_LE(cells[0].samples, 400) << "samples of about 2 ms";
}

TEST(Latency, NoCasesGiveNoCells) {
  EXPECT_TRUE(measure_latency({}, {}).empty());
}

TEST(Latency, OptionsOutOfRangeAreRejected) {
  const auto cases = latency_cases(small_graph(), {Engine::dense}, {1}, {1});
  EXPECT_THROW(measure_latency(cases, {.seconds = -1}), std::invalid_argument);
  EXPECT_THROW(measure_latency(cases, {.samples = 0}), std::invalid_argument);
}

TEST(Latency, StopsOnCtrlC) {
  const auto cases = latency_cases(small_graph(), {Engine::dense}, {1}, {1});
  const InterruptGuard guard;
  ::raise(SIGINT);
  EXPECT_THROW(measure_latency(cases, {}), Interrupted);
}

}  // namespace
}  // namespace edgeprune
