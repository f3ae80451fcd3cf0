#include "tools/sweeps/breakeven_tables.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/sample_machine.h"
#include "tests/support/sample_sweep.h"

namespace edgeprune {
namespace {

using testing::sample_machine;
using testing::sample_sweep;

nlohmann::json rows_of(const Table& table) {
  return nlohmann::json::parse(table.render(Format::json));
}

TEST(BreakevenTables, EndToEndHasALevelARow) {
  const auto rows = rows_of(end_to_end_table(sample_sweep()));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].at("level_percent"), 50);
  EXPECT_EQ(rows[1].at("dense_ms"), 3);
  EXPECT_EQ(rows[1].at("sparse_ms"), 3.5);
  EXPECT_DOUBLE_EQ(rows[1].at("sparse_speedup"), 3 / 3.5);
  EXPECT_DOUBLE_EQ(rows[2].at("auto_speedup"), 1.5);
  Sweep sweep = sample_sweep();
  sweep.results[1][1].cell.factor = Factor{{0.9, 0.8, 1.1}, 20};
  const auto row = rows_of(end_to_end_table(sweep))[1];
  EXPECT_EQ(row.at("sparse_speedup_low"), 0.8);
  EXPECT_EQ(row.at("sparse_speedup_high"), 1.1);
}

TEST(BreakevenTables, BreakEvensBeginWithTheNetwork) {
  const auto rows = rows_of(break_even_table(sample_sweep()));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("layer"), "network");
  EXPECT_EQ(rows[0].at("sparse_breakeven"), "75.0 %");
  EXPECT_EQ(rows[0].at("auto_breakeven"), "always");
  EXPECT_EQ(rows[1].at("layer"), "expand");
  EXPECT_EQ(rows[1].at("sparse_breakeven"), "25.0 %");
  EXPECT_EQ(rows[1].at("zeros_percent"), 75);
  EXPECT_EQ(rows[1].at("sparse_speedup"), 2);
}

TEST(BreakevenTables, RecordsAreALineForEachLevelEngineAndLayer) {
  const std::string text =
      json_lines(breakeven_records({sample_sweep(), sample_sweep()}, "m", sample_machine()));
  std::vector<nlohmann::json> rows;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    rows.push_back(nlohmann::json::parse(text.substr(at, text.find('\n', at) - at)));
  }
  ASSERT_EQ(rows.size(), 2u * 3 * 3 * 3);
  const auto& row = rows[3 + 1];
  EXPECT_EQ(row.at("engine"), "sparse");
  EXPECT_EQ(row.at("layer"), "expand");
  EXPECT_EQ(row.at("kernel"), "csr");
  EXPECT_EQ(row.at("scenario"), "offline");
  EXPECT_EQ(row.at("batch"), 8);
  EXPECT_EQ(row.at("median_ms"), 2);
  EXPECT_EQ(row.at("speedup"), 0.5);
  EXPECT_EQ(row.at("speedup_low"), 0.5);
  EXPECT_EQ(row.at("speedup_high"), 0.5);
  EXPECT_EQ(row.at("breakeven"), "25.0 %");
  EXPECT_EQ(row.at("cpu"), "Sample CPU 9000");
  EXPECT_TRUE(rows[0].at("breakeven").is_null()) << "dense against itself";
}

}  // namespace
}  // namespace edgeprune
