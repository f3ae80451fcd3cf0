#include "tools/report/query.h"

#include <gtest/gtest.h>

#include "pruning/method.h"
#include "tests/support/sample_records.h"

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

TEST(Query, MainTimingsAreSmallestAndLargestBatchAtFewestThreads) {
  std::vector<RunRecord> runs(1);
  runs[0].latency = {{"dense", 1, 2}, {"dense", 1, 1}, {"dense", 8, 1}, {"dense", 64, 1}};
  EXPECT_EQ(main_timings(runs), (std::vector<Timing>{{1, 1}, {64, 1}}));
  runs[0].latency = {{"dense", 4, 2}};
  EXPECT_EQ(main_timings(runs), (std::vector<Timing>{{4, 2}}));
  EXPECT_TRUE(main_timings({}).empty());
}

TEST(Query, VariantTellsMasksFromRemovedChannels) {
  RunRecord run = testing::sample_run("channel", "exact", 0.5, 0.7);
  EXPECT_EQ(variant(run), "channel");
  run.mode = "group-mask";
  EXPECT_EQ(variant(run), "channel groups");
  run.mode = "compact";
  EXPECT_EQ(variant(run), "compact channels");
}

TEST(Query, OnlyWhatTakesWholeChannelsIsByChannels) {
  for (const Method method : values_in(kMethods)) {
    const RunRecord run = testing::sample_run(to_string(method), "exact", 0.5, 0.7);
    EXPECT_EQ(by_channels(run), is_structured(method)) << to_string(method);
  }
  EXPECT_TRUE(by_channels(testing::sample_run("channel", "exact", 0.5, 0.7)));
  EXPECT_FALSE(by_channels(testing::sample_run("lamp", "exact", 0.5, 0.7)));
  EXPECT_FALSE(by_channels(testing::sample_run("none", "none", 0, 0.7)));
  EXPECT_FALSE(by_channels(testing::sample_run("of a later version", "exact", 0.5, 0.7)));
}

}  // namespace
}  // namespace edgeprune
