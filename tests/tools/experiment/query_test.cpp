#include "tools/experiment/query.h"

#include <gtest/gtest.h>

#include "tests/tools/experiment/sample_records.h"

namespace edgeprune {
namespace {

TEST(Query, BaselineIsTheUnprunedRunWhereverItStands) {
  std::vector<RunRecord> runs = testing::sample_study();
  EXPECT_EQ(find_baseline(runs), &runs[0]);
  std::swap(runs[0], runs[4]);
  EXPECT_EQ(find_baseline(runs), &runs[4]);
  EXPECT_EQ(find_baseline({}), nullptr);
}

TEST(Query, LatencyIsFoundByEngineBatchAndThreads) {
  const RunRecord run = testing::sample_run("none", "none", 0, 0.9);
  const LatencyCell* cell = find_latency(run, "sparse", {64, 2});
  ASSERT_NE(cell, nullptr);
  EXPECT_EQ(cell->engine, "sparse");
  EXPECT_EQ(cell->batch, 64);
  EXPECT_EQ(cell->threads, 2);
  EXPECT_EQ(find_latency(run, "compact", {64, 2}), nullptr);
  EXPECT_EQ(find_latency(run, "sparse", {64, 3}), nullptr);
}

TEST(Query, TimingsAndEnginesAreSortedAndUnique) {
  std::vector<RunRecord> runs(2);
  runs[0].latency = {{"sparse", 64, 1}, {"compact", 8, 2}, {"dense", 64, 1}};
  runs[1].latency = {{"auto", 8, 1}, {"dense", 64, 1}};
  EXPECT_EQ(timings(runs), (std::vector<Timing>{{8, 1}, {8, 2}, {64, 1}}));
  EXPECT_EQ(engines(runs), (std::vector<std::string>{"dense", "sparse", "auto", "compact"}));
  EXPECT_TRUE(timings({}).empty());
  EXPECT_TRUE(engines({}).empty());
}

}  // namespace
}  // namespace edgeprune
