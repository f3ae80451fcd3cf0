#include "tools/experiment/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/experiment/sample_records.h"

namespace edgeprune {
namespace {

using testing::sample_run;
using testing::sample_study;

nlohmann::json rows_of(const Table& table) {
  return nlohmann::json::parse(table.render(Format::json));
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in:\n" << text;
}

/// A run at a sparsity over all parameters, timed once: dense takes 1 ms, sparse `sparse_ms`.
RunRecord timed(const std::string& method, int64_t percent, double sparse_ms) {
  RunRecord run;
  run.id = method + std::to_string(percent);
  run.method = method;
  run.parameters = 100;
  run.nonzero_parameters = 100 - percent;
  run.latency = {{"dense", 64, 1, 10, 1.0}, {"sparse", 64, 1, 10, sparse_ms}};
  return run;
}

TEST(Report, TableHasARowARunWithItsNumbers) {
  const std::vector<RunRecord> runs = sample_study();
  const nlohmann::json rows = rows_of(results_table(runs));
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
  EXPECT_DOUBLE_EQ(row["speedup_b64_t1"], dense / sparse);
  EXPECT_TRUE(rows[0]["accuracy_difference_points"].is_null());
}

TEST(Report, LatencyColumnsAreThoseThatOccur) {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("channel", "one-shot", 0.5, 0.8)};
  runs[0].latency = {{"dense", 1, 1, 10, 0.5}};
  runs[1].latency = {{"sparse", 8, 2, 10, 0.25}, {"dense", 1, 1, 10, 0.4}};
  const std::string heading = results_table(runs).render(Format::csv);
  expect_contains(heading, ",file MB,dense b1 t1 ms,sparse b8 t2 ms\n");
  const nlohmann::json rows = rows_of(results_table(runs));
  EXPECT_TRUE(rows[0]["sparse_b8_t2_ms"].is_null());
  EXPECT_EQ(rows[1]["sparse_b8_t2_ms"], 0.25);
}

TEST(Report, WithoutABaselineTheDifferenceIsEmpty) {
  const nlohmann::json rows = rows_of(results_table({sample_run("channel", "one-shot", 0.5, 0.8)}));
  EXPECT_TRUE(rows[0]["accuracy_difference_points"].is_null());
}

TEST(Report, LatencyTableHasOneRowARunAndTiming) {
  const nlohmann::json rows = rows_of(latency_table(sample_study()));
  ASSERT_EQ(rows.size(), 13u * 4);
  EXPECT_EQ(rows[13]["batch"], 1);
  EXPECT_EQ(rows[13]["threads"], 2);
  EXPECT_EQ(rows[13]["id"], "baseline");
  EXPECT_NEAR(rows[13]["speedup"].get<double>(), 0.55, 1e-12);
}

TEST(Report, MarkdownNamesMachineBestRunAndTables) {
  const std::string text = report_markdown(sample_study());
  EXPECT_EQ(text.rfind("# ", 0), 0u);
  expect_contains(text,
                  "Machine: Sample CPU 9000; threads: 1, 2; build: release; commit: 0123abc.");
  expect_contains(text,
                  "Most accurate: magnitude-exact-50 with 91.78 % at 49.2 % sparsity, 1.98 points "
                  "above the baseline.");
  expect_contains(text, "| channel-exact-70 ");
  expect_contains(text, "| speed-up |");
}

TEST(Report, MarkdownListsEveryMachineThatTookPart) {
  std::vector<RunRecord> runs = sample_study();
  runs[3].cpu = "Other CPU";
  expect_contains(report_markdown(runs), "Machine: Sample CPU 9000 / Other CPU;");
}

TEST(Report, CrossingIsInterpolatedBetweenNeighbouringRowsOfAMethod) {
  // From 1.5 ms at 20 % down to 0.5 ms at 60 %: even with dense's 1 ms in the middle.
  const std::vector<RunRecord> runs = {timed("magnitude", 60, 0.5), timed("none", 0, 2.0),
                                       timed("magnitude", 20, 1.5), timed("channel", 60, 1.1)};
  expect_contains(report_markdown(runs),
                  "Sparse is faster than dense at batch 64 on 1 thread: channel not in these rows; "
                  "magnitude from about 40 % sparsity.");
}

TEST(Report, CrossingCountsOnlyIfEveryDenserRowAgrees) {
  const std::vector<RunRecord> runs = {timed("magnitude", 20, 0.9), timed("magnitude", 40, 1.2),
                                       timed("magnitude", 60, 0.8)};
  expect_contains(report_markdown(runs), "magnitude from about 50 % sparsity.");
}

TEST(Report, SparseThatAlwaysWinsIsSaidSo) {
  expect_contains(report_markdown({timed("magnitude", 20, 0.9)}),
                  "magnitude in all of these rows.");
}

TEST(Report, EqualSparsitiesDoNotDivideByZero) {
  const std::vector<RunRecord> runs = {timed("magnitude", 50, 1.0), timed("magnitude", 50, 1.0)};
  expect_contains(report_markdown(runs), "magnitude not in these rows.");
}

TEST(Report, FewRowsAndNoLatencyStillMakeAPage) {
  expect_contains(report_markdown({}), "No run has finished yet.");
  RunRecord untimed = sample_run("none", "none", 0, 0.5);
  untimed.latency.clear();
  const std::string text = report_markdown({untimed});
  expect_contains(text, "threads: unknown");
  EXPECT_EQ(text.find("faster"), std::string::npos);
  EXPECT_EQ(text.find("Latency"), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
