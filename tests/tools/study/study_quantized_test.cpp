// Rows in 8-bit integers.

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine/base/file.h"
#include "tests/tools/study/small_study.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;
using testing::experiment;
using testing::without_times;
using QuantizedStudy = testing::SmallStudy;

TEST_F(QuantizedStudy, QuantisedRowsAreTheirParentsInIntegers) {
  plan_.experiments = {experiment(Method::lamp, PruningSchedule::one_shot, 0.8)};
  plan_.experiments[0].quantize = {Quantizing::ptq};
  plan_.calibration_images = 16;
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 4u);
  for (size_t i : {1, 3}) {
    const RunRecord &row = records[i], &parent = records[i - 1];
    EXPECT_EQ(row.id, parent.id + "-int8");
    EXPECT_EQ(row.row, row.id);
    EXPECT_EQ(row.quantization, "ptq");
    EXPECT_EQ(parent.quantization, "");
    EXPECT_EQ(row.method + row.mode + row.schedule, parent.method + parent.mode + parent.schedule);
    EXPECT_EQ(row.target, parent.target);
    EXPECT_EQ(row.sparsity(), parent.sparsity());
    EXPECT_EQ(row.epochs_spent, parent.epochs_spent);
    EXPECT_EQ(row.parent_sha256, parent.sha256);
    EXPECT_LT(row.file_bytes, 0.5 * double(parent.file_bytes));
    EXPECT_LE(row.sparse_file_bytes, row.file_bytes);
    EXPECT_EQ(row.sha256, sha256_of_file(options_.folder + "/" + row.checkpoint));
    std::set<std::string> engines;
    for (const LatencyCell& cell : row.latency) {
      engines.insert(cell.engine);
      EXPECT_TRUE(cell.factor && cell.cpu_ms) << cell.engine;
      EXPECT_EQ(cell.integer_factor.has_value(), i == 3) << "the unpruned one is the reference";
    }
    EXPECT_TRUE(engines.contains("int8"));
    EXPECT_FALSE(engines.contains("dense") || engines.contains("sparse"));
    for (const LatencyCell& cell : parent.latency) EXPECT_FALSE(cell.integer_factor);
  }
  EXPECT_LT(records[3].sparse_file_bytes, 0.6 * double(records[3].file_bytes));
  remeasure_study(plan_, options_, [](const std::string&) {});
  const std::vector<RunRecord> again = rows();
  for (size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(without_times(again[i]), without_times(records[i]));
    EXPECT_EQ(again[i].latency.size(), records[i].latency.size());
    EXPECT_EQ(again[i].latency[0].integer_factor.has_value(), i == 3);
  }
  fs::remove(options_.folder + "/models/baseline-int8.safetensors");
  options_.resume = true;
  options_.seeds = {0, 1};
  run();
  EXPECT_EQ(rows().size(), 8u);
  EXPECT_EQ(rows()[7].parent_sha256, rows()[6].sha256) << "of its own seed";
}

TEST_F(QuantizedStudy, RowsTrainedForIntegersKeepTheirZeros) {
  plan_.experiments = {experiment(Method::lamp, PruningSchedule::one_shot, 0.8)};
  plan_.experiments[0].quantize = {Quantizing::qat};
  plan_.calibration_images = 16;
  plan_.qat_epochs = 1;
  run();
  const std::vector<RunRecord> records = rows();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[1].id, "baseline-int8-qat");
  EXPECT_EQ(records[1].epochs_spent, 1) << "behind the baseline";
  const RunRecord &parent = records[2], &row = records[3];
  EXPECT_EQ(row.id, "lamp-one-shot-80-int8-qat");
  EXPECT_EQ(row.quantization, "qat");
  EXPECT_EQ(row.parent_sha256, parent.sha256);
  EXPECT_EQ(row.epochs_spent, parent.epochs_spent + 1);
  EXPECT_EQ(std::ssize(row.curve), row.epochs_spent);
  EXPECT_EQ(row.sparsity(), parent.sparsity());
  EXPECT_LT(row.sparse_file_bytes, 0.6 * double(row.file_bytes)) << "its zeros";
  EXPECT_TRUE(row.latency[0].integer_factor) << "beside the baseline's";
}

TEST_F(QuantizedStudy, AQuantisedStudyKilledAtAnyRowResumesToTheSameRows) {
  plan_.experiments = {experiment(Method::channel, PruningSchedule::one_shot, 0.5)};
  plan_.experiments[0].quantize = {Quantizing::ptq};
  run();
  const std::vector<RunRecord> expected = rows();
  options_.resume = true;
  for (size_t kept = 0; kept < expected.size(); ++kept) {  // and no model of a row without a line
    write_records(options_.folder + "/runs.jsonl",
                  {expected.begin(), expected.begin() + long(kept)});
    for (size_t i = kept; i < expected.size(); ++i) {
      fs::remove(options_.folder + "/" + expected[i].checkpoint);
    }
    run();
    const std::vector<RunRecord> records = rows();
    ASSERT_EQ(records.size(), expected.size());
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(without_times(records[i]), without_times(expected[i])) << kept;
    }
  }
}

}  // namespace
}  // namespace edgeprune
