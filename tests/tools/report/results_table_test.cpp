#include "tools/report/results_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;
using testing::with_seed;

nlohmann::json rows_of(const Table& table) {
  return nlohmann::json::parse(table.render(Format::json));
}

TEST(ResultsTable, HasARowARunWithItsNumbers) {
  const std::vector<RunRecord> runs = sample_study();
  const nlohmann::json rows = rows_of(results_table(Results(runs)));
  ASSERT_EQ(rows.size(), 13u);
  const nlohmann::json& row = rows[2];
  EXPECT_EQ(row["id"], "magnitude-one-shot-50");
  EXPECT_EQ(row["method"], "magnitude");
  EXPECT_EQ(row["schedule"], "one-shot");
  EXPECT_DOUBLE_EQ(row["sparsity_percent"], 100 * 1101280.0 / 2236682);
  EXPECT_DOUBLE_EQ(row["prunable_sparsity_percent"], 50);
  EXPECT_DOUBLE_EQ(row["accuracy_percent"], 91.65);
  EXPECT_NEAR(row["accuracy_difference_points"].get<double>(), 1.85, 1e-9);
  EXPECT_EQ(row["parameters"], 2236682);
  EXPECT_EQ(row["nonzero_parameters"], 2236682 - 1101280);
  EXPECT_DOUBLE_EQ(row["multiply_adds_removed_percent"], 40);
  EXPECT_DOUBLE_EQ(row["file_megabytes"], 9.05624);
  const double dense = row["dense_b64_t1_ms"], sparse = row["sparse_b64_t1_ms"];
  EXPECT_EQ(dense, runs[2].latency[4].median);
  EXPECT_NEAR(row["speedup_b64_t1"].get<double>(), dense / sparse, 1e-12);
  const Factor factor = *runs[2].latency[5].factor;
  EXPECT_EQ(row["sparse_b64_t1_factor"], factor.median);
  EXPECT_EQ(row["sparse_b64_t1_factor_low"], factor.low);
  EXPECT_EQ(row["sparse_b64_t1_factor_high"], factor.high);
  EXPECT_FALSE(row.contains("remark_b64_t1")) << "nothing is in doubt";
  EXPECT_TRUE(rows[0]["accuracy_difference_points"].is_null());
}

TEST(ResultsTable, TheWorstClassIsShownWhereItIsKnown) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("lamp", "exact", 0.5, 0.8)};
  EXPECT_FALSE(rows_of(results_table(Results(runs)))[0].contains("worst_class"));
  runs.push_back(with_seed(runs[1], 1, 0.9));
  runs[1].worst_class = {"defect", 0.75};
  runs[2].worst_class = {"ok", 0.25};
  for (const Table& table : {results_table(Results(runs)), comparison_table(Results(runs))}) {
    const nlohmann::json rows = rows_of(table);
    EXPECT_TRUE(rows[0]["worst_class"].is_null()) << "of a record from before";
    EXPECT_EQ(rows[1]["worst_recall_percent"], 25) << "the worst of both seeds";
    EXPECT_EQ(rows[1]["worst_class"], "ok");
  }
}

TEST(ResultsTable, LatencyColumnsAreThoseThatOccur) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("channel", "one-shot", 0.5, 0.8)};
  runs[0].latency = {{"dense", 1, 1, 10, 0.5}};
  runs[1].latency = {{"sparse", 8, 2, 10, 0.25}, {"dense", 1, 1, 10, 0.4}};
  const std::string heading = results_table(Results(runs)).render(Format::csv);
  EXPECT_NE(
      heading.find(",original: ms,dense b1 t1 ms,remark b1 t1,sparse b8 t2 ms,remark b8 t2\n"),
      std::string::npos)
      << heading;
  const nlohmann::json rows = rows_of(results_table(Results(runs)));
  EXPECT_TRUE(rows[0]["sparse_b8_t2_ms"].is_null());
  EXPECT_EQ(rows[1]["sparse_b8_t2_ms"], 0.25);
  EXPECT_EQ(rows[1]["remark_b8_t2"], "not timed together");
}

TEST(ResultsTable, WithoutABaselineTheDifferenceIsEmpty) {
  const nlohmann::json rows =
      rows_of(results_table(Results({sample_run("channel", "one-shot", 0.5, 0.8)})));
  EXPECT_TRUE(rows[0]["accuracy_difference_points"].is_null());
}

TEST(ResultsTable, LatencyTableHasALineATimingRowAndEngine) {
  std::vector<RunRecord> runs = sample_study();
  runs[1].latency[2].factor = testing::within(1.36, 0.01);  // dense, batch 1, two threads
  const nlohmann::json rows = rows_of(latency_table(Results(runs)));
  ASSERT_EQ(rows.size(), 13u * 4 * 2);
  const nlohmann::json& baseline = rows[26 + 1];
  EXPECT_EQ(baseline["batch"], 1);
  EXPECT_EQ(baseline["threads"], 2);
  EXPECT_EQ(baseline["id"], "baseline");
  EXPECT_EQ(baseline["engine"], "sparse");
  const LatencyCell& cell = runs[0].latency[3];
  EXPECT_EQ(baseline["median_ms"], cell.median);
  EXPECT_EQ(baseline["p90_ms"], cell.p90);
  EXPECT_EQ(baseline["p99_ms"], cell.p99);
  EXPECT_EQ(baseline["factor"], cell.factor->median);
  EXPECT_EQ(baseline["factor_low"], cell.factor->low);
  EXPECT_EQ(baseline["factor_high"], cell.factor->high);
  EXPECT_EQ(baseline["remark"], "");
  for (const size_t noisy : {28, 29}) {
    EXPECT_EQ(rows[noisy]["id"], runs[1].id);
    EXPECT_TRUE(rows[noisy]["factor"].is_null());
    EXPECT_EQ(rows[noisy]["remark"],
              "noisy: dense kernels, whose work is the same, were 1.36 times as fast");
  }
  EXPECT_EQ(rows_of(latency_table({&runs[3]})).size(), 8u);
}

TEST(ResultsTable, SaysWhatTheRowIsAndWhatItTook) {
  std::vector<RunRecord> runs = sample_study();
  runs[2].recovery = "rewind";
  const nlohmann::json row = rows_of(results_table(Results(runs)))[2];
  EXPECT_EQ(row["mode"], "mask");
  EXPECT_EQ(row["recovery"], "rewind");
  EXPECT_DOUBLE_EQ(row["target_percent"], 50);
  EXPECT_DOUBLE_EQ(row["accuracy_before_percent"], 91.65 / 3);
  EXPECT_LT(row["p_value"], 0.001);
  EXPECT_EQ(row["stored_parameters"], 2236682);
  EXPECT_GT(row["sparse_file_megabytes"], 4.5);
  EXPECT_EQ(row["epochs_spent"], 5);
  EXPECT_NEAR(row["minutes_spent"].get<double>(), 1234.5 / 60, 1e-9);
  EXPECT_FALSE(row.contains("seeds"));
}

TEST(ResultsTable, SeedsAreOneRowWithMeanAndExtremes) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("lamp", "exact", 0.5, 0.8)};
  runs.push_back(with_seed(runs[1], 1, 0.9));
  const nlohmann::json rows = rows_of(results_table(Results(runs)));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[1]["accuracy_percent"].get<double>(), 85, 1e-9);
  EXPECT_DOUBLE_EQ(rows[1]["accuracy_low_percent"], 80);
  EXPECT_DOUBLE_EQ(rows[1]["accuracy_high_percent"], 90);
  EXPECT_EQ(rows[1]["seeds"], 2);
  EXPECT_EQ(rows[0]["seeds"], 1);
}

TEST(ResultsTable, TheOriginalRowStandsBesideOurs) {
  std::vector<RunRecord> runs = sample_study();
  runs.push_back(sample_run("channel", "compounding", 0.5, 0.78));
  const nlohmann::json rows = rows_of(comparison_table(Results(runs)));
  EXPECT_EQ(rows[5]["id"], "channel-one-shot-50");
  EXPECT_EQ(rows[5]["document_sparsity_percent"], "49");
  EXPECT_EQ(rows[5]["document_accuracy_percent"], "66.8");
  EXPECT_EQ(rows[5]["document_ms"], "1.00–1.25");
  EXPECT_EQ(rows[5]["p_value"], "< 0.001");
  EXPECT_EQ(rows[5]["dense_ms"], runs[5].latency[4].median);  // batch 64, one thread
  EXPECT_EQ(rows[3]["fastest_engine"], "sparse");
  const Factor& factor = *runs[3].latency[5].factor;
  EXPECT_EQ(rows[3]["fastest_factor"],
            fmt::format("{:.2f} ({:.2f} to {:.2f})", factor.median, factor.low, factor.high));
  EXPECT_TRUE(rows[8]["document_accuracy_percent"].is_null());  // exact
  EXPECT_EQ(rows[13]["document_accuracy_percent"], "79.8");
  const Results own(runs, StudyAbout{.cifar10 = false});
  for (const Table& table : {comparison_table(own), results_table(own)}) {
    EXPECT_EQ(table.render(Format::json).find("document_"), std::string::npos);
  }
}

TEST(ResultsTable, RecoveryStandsBesideTheSamePruningWithout) {
  std::vector<RunRecord> runs = sample_study();
  EXPECT_TRUE(recovery_table(Results(runs)).rows().empty());
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.7);
  run.id = run.row = "channel-one-shot-50-rewind";
  run.recovery = "rewind";
  runs.insert(runs.begin() + 1, run);
  const nlohmann::json rows = rows_of(recovery_table(Results(runs)));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["recovery"], "none");
  EXPECT_TRUE(rows[0]["gain_points"].is_null());
  EXPECT_EQ(rows[1]["pruning"], "channel, one-shot 50 %");
  EXPECT_EQ(rows[1]["recovery"], "rewind");
  EXPECT_NEAR(rows[1]["gain_points"].get<double>(), 3.2, 1e-9);
  EXPECT_EQ(rows[1]["p_value"], "p < 0.001");
}

TEST(ResultsTable, RowsWithLimitsSaySoAndAreAPruningOfTheirOwn) {
  std::vector<RunRecord> runs = sample_study();
  EXPECT_FALSE(rows_of(results_table(Results(runs)))[1].contains("limits"));
  EXPECT_FALSE(rows_of(comparison_table(Results(runs)))[1].contains("limits"));
  for (const char* recovery : {"", "rewind"}) {
    RunRecord run = sample_run("channel", "one-shot", 0.5, *recovery == 0 ? 0.69 : 0.7);
    run.id = run.row = run.id + "-floor" + recovery;
    run.limits = "min-density 0.45";
    run.recovery = recovery;
    runs.push_back(run);
  }
  const Results results(runs);
  for (const auto& rows : {rows_of(results_table(results)), rows_of(comparison_table(results))}) {
    EXPECT_EQ(rows[2]["limits"], "");
    EXPECT_EQ(rows[13]["limits"], "min-density 0.45");
  }
  const nlohmann::json rows = rows_of(recovery_table(results));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1]["pruning"], "channel, one-shot 50 %, min-density 0.45");
  EXPECT_NEAR(rows[1]["gain_points"].get<double>(), 1, 1e-9) << "not the row without limits";
  EXPECT_EQ(results.find("channel", "mask", "one-shot", 0.5)->limits, "");
}

TEST(ResultsTable, WithoutTheSamePruningThereIsNoGain) {
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.7);
  run.recovery = "rewind";
  const nlohmann::json rows = rows_of(recovery_table(Results({run})));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0]["gain_points"].is_null());
}

TEST(ResultsTable, SizesAreOfEveryRow) {
  const nlohmann::json rows = rows_of(size_table(Results(sample_study())));
  ASSERT_EQ(rows.size(), 13u);
  EXPECT_EQ(rows[2]["nonzero_parameters"], 2236682 - 1101280);
}

}  // namespace
}  // namespace edgeprune
