#include "tools/report/original_results.h"

#include <gtest/gtest.h>

#include "tests/support/sample_records.h"

namespace edgeprune {
namespace {

using testing::compact;
using testing::sample_run;

TEST(OriginalResults, RowsMatchByMethodScheduleAndTarget) {
  const OriginalRow* row = find_original_row(sample_run("channel", "one-shot", 0.5, 0.7));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->accuracy.low, 66.8);
  EXPECT_EQ(row->sparsity.low, 49);
  EXPECT_EQ(row->latency->to_string(), "1.00–1.25");
  EXPECT_EQ(find_original_row(sample_run("none", "none", 0, 0.9))->accuracy.to_string(), "89.8");
}

TEST(OriginalResults, ItsIterativeRowsAreOurCompoundingOnes) {
  const OriginalRow* row = find_original_row(sample_run("magnitude", "compounding", 0.5, 0.8));
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->sparsity.to_string(), "83.6");
  EXPECT_EQ(row->accuracy.to_string(), "88.7");
  EXPECT_FALSE(row->latency.has_value());
  EXPECT_EQ(find_original_row(sample_run("magnitude", "exact", 0.5, 0.8)), nullptr);
  EXPECT_EQ(find_original_row(sample_run("magnitude", "compounding", 0.3, 0.8)), nullptr);
}

TEST(OriginalResults, ItHadNeitherCompactRowsNorRecoveryNorLimitsNorLamp) {
  RunRecord run = sample_run("channel", "one-shot", 0.5, 0.7);
  EXPECT_EQ(find_original_row(compact(run)), nullptr);
  EXPECT_NE(find_original_row(run), nullptr);
  run.recovery = "rewind";
  EXPECT_EQ(find_original_row(run), nullptr);
  run.recovery.clear();
  run.limits = "min-density 0.25";
  EXPECT_EQ(find_original_row(run), nullptr);
  EXPECT_EQ(find_original_row(sample_run("lamp", "one-shot", 0.5, 0.7)), nullptr);
}

TEST(OriginalResults, HoldsTheWholeTable) {
  EXPECT_EQ(original_rows().size(), 12u);
}

}  // namespace
}  // namespace edgeprune
