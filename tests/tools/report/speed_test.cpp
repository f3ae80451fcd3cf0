#include "tools/report/speed.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;

using testing::within;

/// A run at a sparsity over all parameters, timed once: dense takes 1 ms, sparse `sparse_ms`, in
/// turns with an unpruned network that takes 1 ms.
RunRecord timed(const std::string& method, int64_t percent, double sparse_ms) {
  RunRecord run;
  run.id = method + std::to_string(percent);
  run.method = method;
  run.mode = method == "none" ? "none" : "mask";
  run.parameters = 100;
  run.nonzero_parameters = 100 - percent;
  run.accuracy = 0.9;
  run.latency = {{"dense", 64, 1, 10, 1.0}, {"sparse", 64, 1, 10, sparse_ms}};
  run.latency[0].factor = within(1, 0);
  run.latency[1].factor = within(1 / sparse_ms, 0);
  return run;
}

const std::vector<Timing> kTimings = {{64, 1}};

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

TEST(Speed, CrossingHasARange) {
  std::vector<RunRecord> runs = {timed("magnitude", 20, 1.5), timed("magnitude", 60, 0.5)};
  runs[0].latency[1].factor = Factor{{1 / 1.5, 1 / 1.55, 1 / 1.45}, 20};
  EXPECT_EQ(
      crossing(runs),
      "Sparse is faster than dense at batch 64 on 1 thread: magnitude from about 40 % sparsity "
      "(39 % to 41 %).");
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

TEST(Speed, FactorsAreThoseOfTheRounds) {
  std::vector<RunRecord> runs = {timed("none", 0, 0.8), timed("magnitude", 50, 0.25),
                                 timed("channel", 50, 0.9)};
  runs[2].mode = "compact";
  runs[2].latency[0].factor = within(2, 0);
  for (LatencyCell& cell : runs[1].latency) cell.median *= 3;  // timed at a bad hour
  const Results results(runs);
  EXPECT_EQ(largest_factor(results, Means::dense_kernels, kTimings)->factor.median, 1);
  EXPECT_EQ(largest_factor(results, Means::sparse_kernels, kTimings)->factor.median, 4);
  const auto removed = largest_factor(results, Means::removed_channels, kTimings);
  EXPECT_EQ(removed->factor.median, 2);
  EXPECT_EQ(removed->engine, "dense");
  EXPECT_EQ(removed->row->id, "channel50");
  EXPECT_FALSE(largest_factor(results, Means::sparse_kernels, {{1, 1}}).has_value());
  EXPECT_FALSE(largest_factor(results, Means::sparse_kernels, kTimings, 0.95).has_value());
  const auto fastest = fastest_engine(results, results.rows()[1], {64, 1});
  EXPECT_EQ(fastest->engine, "sparse");
  EXPECT_EQ(fastest->ms.median, 0.25) << "at the unpruned network's pace";
}

TEST(Speed, RanksByTheLowerEndAndNotByTheLuckiestRow) {
  std::vector<RunRecord> runs = {timed("none", 0, 2), timed("magnitude", 50, 0.5),
                                 timed("magnitude", 70, 0.4)};
  runs[1].latency[1].factor = within(2.0, 0.01);
  runs[2].latency[1].factor = Factor{{2.05, 1.95, 2.1}, 20};
  const Results results(runs);
  EXPECT_EQ(largest_factor(results, Means::sparse_kernels, kTimings)->row->id, "magnitude50");
  runs[1].latency[1].factor = runs[2].latency[1].factor = Factor{{1.07, 1.04, 1.1}, 20};
  EXPECT_FALSE(made_faster(Results(runs), Means::sparse_kernels, kTimings)) << "maybe not";
}

// "up to 25.51 times", when a disturbance fell into the reference's turns.
TEST(Speed, ANoisyCellCanBeNobodysLargest) {
  std::vector<RunRecord> runs = {timed("none", 0, 2), timed("magnitude", 50, 0.5),
                                 timed("magnitude", 70, 0.4)};
  runs[2].latency[0].factor = within(10.2, 0.01);
  runs[2].latency[1].factor = within(25.51, 0.01);
  const Results results(runs);
  EXPECT_EQ(largest_factor(results, Means::sparse_kernels, kTimings)->factor.median, 2);
  EXPECT_EQ(largest_factor(results, Means::dense_kernels, kTimings)->factor.median, 1);
  EXPECT_FALSE(fastest_engine(results, results.rows()[2], {64, 1}));
  EXPECT_EQ(speed_table(results).render(Format::csv).find("25.51"), std::string::npos);
  EXPECT_EQ(
      noise_sentence(results),
      "1 of 3 timings is noisy and decide nothing: identical work differed by more than 5 %, "
      "a factor is not known to 5 %, other programs had the processors, or threads did not work "
      "side "
      "by side. study --remeasure takes "
      "them anew, on a quieter machine.");
}

TEST(Speed, RowsThatWereNotTimedTogetherHaveNoFactor) {
  std::vector<RunRecord> runs = {timed("none", 0, 2), timed("magnitude", 50, 0.5)};
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor.reset();
  }
  const Results results(runs);
  EXPECT_FALSE(largest_factor(results, Means::sparse_kernels, kTimings));
  EXPECT_FALSE(median_factor(results, Means::dense_kernels, kTimings));
  EXPECT_FALSE(made_faster(results, Means::sparse_kernels, kTimings));
  EXPECT_TRUE(sparse_against_dense(results).empty());
  EXPECT_EQ(
      noise_sentence(results),
      "2 of 2 rows' timings were not taken in turns with the unpruned network's, so that their "
      "factors are unknown: study --remeasure takes them so.");
}

TEST(Speed, ZerosOnDenseKernelsMakeNothingFaster) {
  std::vector<RunRecord> runs = {timed("none", 0, 1.0), timed("magnitude", 30, 1.0),
                                 timed("magnitude", 50, 0.5), timed("magnitude", 70, 1.0)};
  runs[1].latency[0].factor = within(1.04, 0);
  EXPECT_EQ(median_factor(Results(runs), Means::dense_kernels, kTimings), 1.0);
  EXPECT_EQ(typical_text(Results(runs), Means::dense_kernels, kTimings),
            "1.00 times in the median of the rows, ");
  EXPECT_FALSE(made_faster(Results(runs), Means::dense_kernels, kTimings));
  EXPECT_TRUE(made_faster(Results(runs), Means::sparse_kernels, kTimings));
  EXPECT_FALSE(made_faster(Results(runs), Means::removed_channels, kTimings));
  EXPECT_EQ(median_factor(Results(runs), Means::removed_channels, kTimings), std::nullopt);
  for (size_t i = 1; i < 4; ++i) runs[i].latency[0].factor = within(1.36, 0);
  EXPECT_FALSE(made_faster(Results(runs), Means::dense_kernels, kTimings))
      << "a quickstart's report said 1.36 once";
}

TEST(Speed, TableHasTwoLinesATiming) {
  const Table table = speed_table(Results(testing::sample_study()));
  EXPECT_EQ(table.rows().size(), 8u);
  const std::string text = table.render(Format::csv);
  EXPECT_NE(text.find("64,2,≤ 0.59 points below,"), std::string::npos) << text;
}

}  // namespace
}  // namespace edgeprune
