#include "tools/report/speed.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;

/// A run at a sparsity over all parameters, timed once: dense takes 1 ms, sparse `sparse_ms`.
RunRecord timed(const std::string& method, int64_t percent, double sparse_ms) {
  RunRecord run;
  run.id = method + std::to_string(percent);
  run.method = method;
  run.mode = method == "none" ? "none" : "mask";
  run.parameters = 100;
  run.nonzero_parameters = 100 - percent;
  run.accuracy = 0.9;
  run.latency = {{"dense", 64, 1, 10, 1.0}, {"sparse", 64, 1, 10, sparse_ms}};
  return run;
}

std::string crossing(std::vector<RunRecord> runs) {
  return sparse_against_dense(Results(std::move(runs))).at(0);
}

TEST(Speed, CrossingIsInterpolatedBetweenNeighbouringRowsOfAMethod) {
  // From 1.5 ms at 20 % down to 0.5 ms at 60 %: even with dense's 1 ms in the middle.
  EXPECT_EQ(crossing({timed("magnitude", 60, 0.5), timed("none", 0, 2.0),
                      timed("magnitude", 20, 1.5), timed("channel", 60, 1.1)}),
            "Sparse is faster than dense at batch 64 on 1 thread: channel not in these rows; "
            "magnitude from about 40 % sparsity.");
}

TEST(Speed, CrossingCountsOnlyIfEveryDenserRowAgrees) {
  EXPECT_EQ(crossing({timed("magnitude", 20, 0.9), timed("magnitude", 40, 1.2),
                      timed("magnitude", 60, 0.8)}),
            "Sparse is faster than dense at batch 64 on 1 thread: magnitude from about 50 % "
            "sparsity.");
}

TEST(Speed, SparseThatAlwaysOrNeverWinsIsSaidSo) {
  EXPECT_TRUE(crossing({timed("magnitude", 20, 0.9)}).ends_with("in all of these rows."));
  EXPECT_TRUE(crossing({timed("magnitude", 50, 1.0), timed("magnitude", 50, 1.0)})
                  .ends_with("magnitude not in these rows."));
}

TEST(Speed, SmallerLayersAreNoCaseForSparseKernels) {
  std::vector<RunRecord> runs = {timed("magnitude", 20, 0.9), timed("channel", 50, 0.3)};
  runs[1].mode = "compact";
  EXPECT_EQ(crossing(runs).find("compact"), std::string::npos);
}

TEST(Speed, FactorsCompareWithTheBaselineOnDenseKernels) {
  std::vector<RunRecord> runs = {timed("none", 0, 0.8), timed("magnitude", 50, 0.25),
                                 timed("channel", 50, 0.9)};
  runs[2].mode = "compact";
  runs[2].latency[0].median = 0.5;
  const Results results(runs);
  const std::vector<Timing> timings = {{64, 1}};
  EXPECT_EQ(largest_factor(results, Means::dense_kernels, timings)->factor, 1);
  EXPECT_EQ(largest_factor(results, Means::sparse_kernels, timings)->factor, 4);
  const auto removed = largest_factor(results, Means::removed_channels, timings);
  EXPECT_EQ(removed->factor, 2);
  EXPECT_EQ(removed->engine, "dense");
  EXPECT_EQ(removed->row->id, "channel50");
  EXPECT_FALSE(largest_factor(results, Means::sparse_kernels, {{1, 1}}).has_value());
  EXPECT_FALSE(largest_factor(results, Means::sparse_kernels, timings, 0.95).has_value());
  EXPECT_EQ(fastest_engine(results, results.rows()[1], {64, 1})->engine, "sparse");
}

TEST(Speed, DenseKernelsAreJudgedByTheMedianOfTheRows) {
  std::vector<RunRecord> runs = {timed("none", 0, 1.0), timed("magnitude", 30, 1.0),
                                 timed("magnitude", 50, 0.5), timed("magnitude", 70, 1.0)};
  runs[1].latency[0].median = 0.5;
  const std::vector<Timing> timings = {{64, 1}};
  EXPECT_EQ(median_factor(Results(runs), Means::dense_kernels, timings), 1.0);
  EXPECT_FALSE(made_faster(Results(runs), Means::dense_kernels, timings));
  EXPECT_TRUE(made_faster(Results(runs), Means::sparse_kernels, timings));
  EXPECT_FALSE(made_faster(Results(runs), Means::removed_channels, timings));
  EXPECT_EQ(median_factor(Results(runs), Means::removed_channels, timings), std::nullopt);
  runs[3].latency[0].median = 0.8;
  EXPECT_EQ(median_factor(Results(runs), Means::dense_kernels, timings), 1.25);
  EXPECT_TRUE(made_faster(Results(runs), Means::dense_kernels, timings));
}

TEST(Speed, TableHasTwoLinesATiming) {
  const Table table = speed_table(Results(testing::sample_study()));
  EXPECT_EQ(table.rows().size(), 8u);
  const std::string text = table.render(Format::csv);
  EXPECT_NE(text.find("64,2,≤ 0.5 points below,"), std::string::npos) << text;
}

}  // namespace
}  // namespace edgeprune
