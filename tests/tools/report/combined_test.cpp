#include "tools/report/combined.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/json.h"
#include "tests/support/expect_contains.h"
#include "tests/support/sample_records.h"
#include "tools/report/best_configuration.h"
#include "tools/report/conclusions.h"
#include "tools/report/layer_plots.h"
#include "tools/report/original_results.h"
#include "tools/report/pareto.h"
#include "tools/report/plots.h"
#include "tools/report/report.h"
#include "tools/report/results_table.h"
#include "tools/report/speed.h"

namespace edgeprune {
namespace {

using testing::combined_study;
using testing::expect_contains;
using testing::sample_study;
using testing::within;

nlohmann::json json_rows(const Table& table) {
  return nlohmann::json::parse(table.render(Format::json));
}

TEST(Combined, ATableHasRowsInFloatsAndInIntegers) {
  std::vector<RunRecord> runs = combined_study();
  runs.push_back(testing::sample_run("magnitude", "one-shot", 0.5, 0.9));  // in floats only
  const nlohmann::json rows = json_rows(combined_table(Results(runs)));
  ASSERT_EQ(rows.size(), 2u * 4);
  const char* ids[] = {"baseline", "baseline-int8", "lamp-one-shot-70", "lamp-one-shot-70-int8"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(rows[i]["id"], ids[i]);
    EXPECT_EQ(rows[i]["batch"], 1);
    EXPECT_EQ(rows[i + 4]["batch"], 64);
    EXPECT_EQ(rows[i]["threads"], 1);
  }
  EXPECT_EQ(rows[0]["fastest_engine"], "dense");
  EXPECT_EQ(rows[2]["fastest_engine"], "sparse");
  EXPECT_EQ(rows[3]["fastest_engine"], "int8");
  EXPECT_DOUBLE_EQ(rows[3]["file_megabytes"], 9.05624 / 4);
  EXPECT_NEAR(rows[3]["accuracy_difference_points"].get<double>(), -0.5, 1e-9);
  EXPECT_TRUE(rows[1]["integer_factor"].is_null()) << "it is the reference";
  EXPECT_EQ(rows[3]["integer_factor"], "1.30 (1.29 to 1.31)");
  EXPECT_EQ(rows[3]["cpu_ms"], runs[3].latency[0].cpu_ms.value());
  EXPECT_FALSE(rows[3].contains("millijoules"));
  runs[3].latency[0].joules = 0.0025;
  EXPECT_EQ(json_rows(combined_table(Results(runs)))[3]["millijoules"], 2.5);
  EXPECT_TRUE(combined_table(Results(sample_study())).rows().empty());
}

TEST(Combined, ASentenceSaysWhetherPruningPaysOnTop) {
  std::vector<RunRecord> runs = combined_study();
  runs.push_back(testing::sample_run("magnitude", "one-shot", 0.5, 0.9));
  runs.back().sha256 = "22";
  runs.push_back(testing::quantized(runs.back(), 0.9, 1.01));
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) {
      cell.factor = within(run.is_quantized() ? 2 : 1, 0.01);
    }
  }
  runs[3].latency[0].factor = within(2.6, 0.01);
  const std::vector<std::string> sentences = combined_sentences(Results(runs));
  ASSERT_EQ(sentences.size(), 2u);
  EXPECT_EQ(
      sentences[0],
      "Batch 1 on 1 thread, times as fast as the unpruned network in floats on dense kernels, "
      "and points of accuracy against it: baseline-int8 2.00 times (1.98 to 2.02), -0.20 points. "
      "Pruning on top pays: "
      "lamp-one-shot-70-int8 2.60 times (2.57 to 2.63), -0.50 points, and on int8 1.30 times (1.29 "
      "to 1.31) as fast as the unpruned on int8. Pruning on top does not make it 5 % "
      "faster: magnitude-one-shot-50-int8 2.00 times (1.98 to 2.02), +0.00 points, and on int8 "
      "1.01 "
      "times (1.00 to 1.02) as fast as the unpruned on int8.");
  LatencyCell mixed = runs[3].latency[0];
  mixed.engine = "auto";
  mixed.factor = within(3, 0.01);
  mixed.integer_factor = within(1.5, 0.01);
  runs[3].latency.push_back(mixed);
  expect_contains(
      combined_sentences(Results(runs))[0],
      "lamp-one-shot-70-int8 3.00 times (2.97 to 3.03), -0.50 points, and on int8 1.30 times");
  for (RunRecord& run : runs) {
    for (LatencyCell& cell : run.latency) cell.factor = within(1, 0.2);
  }
  EXPECT_TRUE(combined_sentences(Results(runs)).empty()) << "noisy times decide nothing";
}

TEST(Combined, TheReportHasItWhereRowsAreQuantised) {
  std::vector<RunRecord> runs = combined_study();
  const std::string text = to_markdown(report_page(Results(runs), {}));
  expect_contains(text, "## Pruned, then quantised");
  expect_contains(text, "It tried neither quantisation nor both together.");
  expect_contains(text, "counters (RAPL, in /sys/class/powercap) cannot be read. CPU time");
  runs[1].latency[0].joules = 0.001;
  expect_contains(to_markdown(report_page(Results(runs), {})), "Energy is what the counters");
  EXPECT_EQ(to_markdown(report_page(Results(sample_study()), {})).find("quantised"),
            std::string::npos);
}

TEST(Combined, IntegersAreNoEvidenceOfWhatPruningDoes) {
  std::vector<RunRecord> pruned = combined_study();
  std::erase_if(pruned, &RunRecord::is_quantized);
  const Results with(combined_study()), without(pruned);
  EXPECT_EQ(with.baseline()->id, "baseline");
  EXPECT_EQ(with.find("lamp", "mask", "one-shot", 0.7)->id, "lamp-one-shot-70");
  EXPECT_EQ(with.in_floats(with.rows()[3]), &with.rows()[2]);
  EXPECT_EQ(with.in_floats(with.rows()[2]), nullptr);
  EXPECT_EQ(find_original_row(with.rows()[1]), nullptr);
  const auto verdicts = conclusions(with), before = conclusions(without);
  for (size_t i = 0; i < verdicts.size(); ++i) {
    EXPECT_EQ(verdicts[i].verdict, before[i].verdict);
    EXPECT_EQ(verdicts[i].reasons, before[i].reasons);
  }
  EXPECT_EQ(layer_sparsity_map(with).columns, layer_sparsity_map(without).columns);
  EXPECT_EQ(curve_figure(with).panels[0].series.size(),
            curve_figure(without).panels[0].series.size());
  EXPECT_EQ(nonzero_figure(with).panels[0].series.size(),
            nonzero_figure(without).panels[0].series.size());
  EXPECT_EQ(speed_table(without).columns().size() + 1, speed_table(with).columns().size());
  expect_contains(headline(with), "8-bit integers, pruned or not, do (up to ");
  EXPECT_EQ(headline(without).find("integers"), std::string::npos);
}

TEST(Combined, PicturesTellIntegersFromFloats) {
  const Results results(combined_study());
  const auto expect_series = [](const Panel& panel, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      EXPECT_EQ(std::ranges::count(panel.series, name, &Series::name), 1) << name;
    }
  };
  expect_series(accuracy_figure(results).panels[0],
                {"unpruned, INT8", "lamp, one-shot", "lamp, one-shot, INT8"});
  expect_series(latency_figure(results).panels[0],
                {"unpruned, int8", "lamp, sparse", "lamp, int8"});
  expect_series(pareto_figure(results).panels[0], {"unpruned, INT8", "lamp, one-shot, INT8"});
}

TEST(Combined, TheUnprunedNetworkInIntegersMayBeTheBest) {
  std::vector<RunRecord> runs = combined_study();
  for (size_t i : {2, 3}) runs[i].accuracy = 0.5;
  const Results results(runs);
  const auto best = best_rows(results);
  ASSERT_EQ(best.size(), 1u);
  EXPECT_EQ(best[0].row->id, "baseline-int8");
  EXPECT_EQ(best[0].best_at,
            "fastest at batch 1 on 1 thread, fastest at batch 64 on 1 thread, "
            "smallest file");
  expect_contains(headline(results),
                  "No pruned row stays within 0.59 points (what 10000 test images resolve) of the "
                  "baseline's 90.00 % accuracy; batch 1 on 1 thread, the fastest network that does "
                  "takes ");
  const auto lines = summary(results, "out");
  expect_contains(lines[1], "best at equal accuracy: no pruned row stays within");
  expect_contains(lines[2], "as fast as unpruned: baseline-int8, int8, batch ");
}

TEST(Combined, SpreadsheetsHaveBothFactorsAndCpuTime) {
  const nlohmann::json rows = json_rows(results_table(Results(combined_study())));
  EXPECT_EQ(rows[0]["quantization"], "float32");
  EXPECT_EQ(rows[3]["quantization"], "int8, ptq");
  EXPECT_EQ(rows[3]["int8_b1_t1_integer_factor"], 1.3);
  EXPECT_EQ(rows[3]["int8_b64_t2_integer_factor_low"], 1.3 * 0.99);
  EXPECT_TRUE(rows[1]["int8_b1_t1_integer_factor"].is_null());
  EXPECT_EQ(rows[1]["int8_b1_t1_cpu_ms"], rows[1]["int8_b1_t1_ms"]);
  EXPECT_FALSE(json_rows(results_table(Results(sample_study())))[0].contains("quantization"));
}

TEST(Combined, SeedsAreAveragedTogether) {
  std::vector<RunRecord> runs = combined_study();
  RunRecord other = testing::with_seed(runs[3], 1, 0.885);
  other.parent_sha256 = "of the other seed's";
  other.latency[0].integer_factor = within(1.5, 0.01);
  other.latency[0].cpu_ms = *runs[3].latency[0].cpu_ms + 0.2;
  runs.push_back(other);
  const Results results(runs);
  ASSERT_EQ(results.rows().size(), 4u);
  const RunRecord& row = results.rows()[3];
  EXPECT_NEAR(row.latency[0].integer_factor->median, 1.4, 1e-12);
  EXPECT_NEAR(*row.latency[0].cpu_ms, *runs[3].latency[0].cpu_ms + 0.1, 1e-12);
  EXPECT_EQ(results.in_floats(row)->id, "lamp-one-shot-70");
}

}  // namespace
}  // namespace edgeprune
