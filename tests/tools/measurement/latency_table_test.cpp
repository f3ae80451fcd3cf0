#include "tools/measurement/latency_table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/json.h"
#include "tests/support/sample_machine.h"

namespace edgeprune {
namespace {

const Machine kMachine = testing::sample_machine();

ModelLatency latency(const std::string& engine, int batch, int threads, double median,
                     double factor = 1) {
  return {"m.safetensors",
          {.cell = {engine, batch, threads, 3, median, 1.1 * median, 2 * median, 3 * median,
                    0.5 * median, 3 * median, Factor{{factor, 0.9 * factor, 1.2 * factor}, 17},
                    Load{0.75, 0.5, 42, 2}},
           .samples = {0.5 * median, median, 3 * median},
           .arena_bytes = 4096,
           .steps = {}}};
}

nlohmann::json rows_of(const Table& table) {
  return nlohmann::json::parse(table.render(Format::json));
}

// Not of the medians' ratio: those may be of other moments.
TEST(LatencyTable, SpeedUpIsTheFactorOfTheRounds) {
  const auto rows = rows_of(latency_table(
      {latency("dense", 1, 1, 0.6), latency("sparse", 1, 1, 0.3, 2.5)}, kMachine, false));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_DOUBLE_EQ(rows[0].at("speedup"), 1);
  EXPECT_DOUBLE_EQ(rows[1].at("speedup"), 2.5);
  EXPECT_DOUBLE_EQ(rows[1].at("speedup_low"), 2.25);
  EXPECT_DOUBLE_EQ(rows[1].at("speedup_high"), 3);
}

TEST(LatencyTable, BatchesAreOfflineAndSingleImagesAStream) {
  const auto rows = rows_of(
      latency_table({latency("dense", 1, 1, 1), latency("dense", 2, 1, 1)}, kMachine, false));
  EXPECT_EQ(rows[0].at("scenario"), "single-stream");
  EXPECT_EQ(rows[1].at("scenario"), "offline");
}

TEST(LatencyTable, WholeRecordsSayEverythingAboutTheMachine) {
  const std::vector<ModelLatency> one = {latency("dense", 1, 2, 0.6)};
  EXPECT_FALSE(rows_of(latency_table(one, kMachine, false))[0].contains("cpu"));
  const auto row = rows_of(latency_table(one, kMachine, true))[0];
  EXPECT_EQ(row.at("cpu"), "Sample CPU 9000");
  EXPECT_EQ(row.at("cores"), 4);
  EXPECT_EQ(row.at("governor"), "performance");
  EXPECT_EQ(row.at("simd"), "avx2");
  EXPECT_EQ(row.at("build"), "Release, GCC");
  EXPECT_EQ(row.at("commit"), "0123abc");
  EXPECT_EQ(row.at("arena_bytes"), 4096);
  EXPECT_EQ(row.at("rounds"), 17);
  EXPECT_EQ(row.at("others_cores"), 0.75);
  EXPECT_EQ(row.at("stolen_cores"), 0.5);
  EXPECT_EQ(row.at("involuntary_switches"), 42);
  EXPECT_TRUE(row.at("pin").is_string());
}

TEST(LatencyTable, SamplesAreALineOfJsonEachInTheirOrder) {
  const std::string text =
      samples_json_lines({latency("dense", 1, 1, 0.6), latency("sparse", 64, 2, 0.3)}, kMachine);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text.back(), '\n');
  const auto second = nlohmann::json::parse(text.substr(text.find('\n') + 1));
  EXPECT_EQ(second.at("engine"), "sparse");
  EXPECT_EQ(second.at("batch"), 64);
  EXPECT_EQ(second.at("cpu"), "Sample CPU 9000");
  EXPECT_EQ(second.at("samples_ms"), (std::vector<double>{0.15, 0.3, 3 * 0.3}));
}

TEST(LatencyTable, ConditionsAreOneLine) {
  EXPECT_EQ(conditions(kMachine),
            "Sample CPU 9000, 4 cores, avx2; governor performance; Release, GCC; commit 0123abc");
}

TEST(DensePart, IsSaidFromAQuarterOfTheMultiplyAddsOn) {
  inference::Graph graph;  // 9 multiply-adds in a window of 3x3, 27 in 1x1
  graph.layers.push_back({.name = "window", .shape = {.kernel = 3}, .weight = {}, .bias = {}});
  graph.layers[0].shape.in_height = graph.layers[0].shape.in_width = 3;
  graph.layers.push_back({.name = "wide", .shape = {.out_channels = 27}, .weight = {}, .bias = {}});
  EXPECT_EQ(dense_part(graph),
            "25.0 % of its multiply-adds run on dense kernels whatever the engine: there are no "
            "sparse ones for the first layer and for convolutions in groups");
  graph.layers[1].shape.out_channels = 28;
  EXPECT_EQ(dense_part(graph), "");
}

}  // namespace
}  // namespace edgeprune
