#include "tools/measurement/layer_times.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/sample_machine.h"

namespace edgeprune {
namespace {

/// Milliseconds a step are the smaller the faster the engine.
ModelLatency latency(const std::string& engine, double ms) {
  return {"m.safetensors",
          {.cell = {.engine = engine, .batch = 1, .threads = 1, .samples = 3, .median = 3 * ms},
           .samples = {},
           .arena_bytes = 4096,
           .steps = {{{"stem", "direct", 2e6, 2e6, 1e5}, ms},
                     {{"stem", "to panels", 0, 0, 0}, ms / 2},
                     {{"block", engine, 4e6, 1e6, 1e5}, ms},
                     {{"logits", "from panels", 0, 0, 0}, 0}}}};
}

TEST(LayerTimes, StepsOfALayerAreOneRow) {
  const auto times = layer_times(latency("sparse", 2).result.steps);
  ASSERT_EQ(times.size(), 3u);
  EXPECT_EQ(times[0].layer, "stem");
  EXPECT_EQ(times[0].kernel, "direct + to panels");
  EXPECT_EQ(times[0].ms, 3);
  EXPECT_EQ(times[0].flops, 2e6);
  EXPECT_EQ(times[1].layer, "block");
  EXPECT_EQ(times[1].kernel_flops, 1e6);
}

TEST(LayerTimes, LayersKnowTheWholeNetworksWeights) {
  auto steps = latency("int8", 1).result.steps;
  steps[0].step.weight_bytes = 100, steps[0].step.weight_share = 25;
  steps[2].step.weight_bytes = 300, steps[2].step.weight_share = 300;
  const auto times = layer_times(steps);
  EXPECT_EQ(times[0].weight_share, 25);
  EXPECT_EQ(times[1].weight_share, 300);
  for (const LayerTime& time : times) EXPECT_EQ(time.all_weights, 400);
}

TEST(LayerTimes, RecordsHaveALayerARowAndTheirSum) {
  const auto rows = nlohmann::json::parse(
      layer_records({latency("dense", 2), latency("sparse", 1)}, testing::sample_machine())
          .render(Format::json));
  ASSERT_EQ(rows.size(), 2 * 4u);
  EXPECT_EQ(rows[0].at("layer"), "stem");
  EXPECT_EQ(rows[0].at("engine"), "dense");
  EXPECT_EQ(rows[0].at("median_ms"), 3);
  EXPECT_NEAR(rows[0].at("gflops"), 2e6 / 3e-3 * 1e-9, 1e-12);
  EXPECT_EQ(rows[0].at("commit"), "0123abc");
  EXPECT_GT(rows[1].at("limit_percent"), 0);
  EXPECT_TRUE(rows[2].at("gflops").is_null());
  EXPECT_TRUE(rows[2].at("limit_percent").is_null());
  EXPECT_EQ(rows[3].at("layer"), "all layers");
  EXPECT_EQ(rows[3].at("median_ms"), 5);
  EXPECT_EQ(rows[3].at("flops"), 6e6);
  EXPECT_EQ(rows[7].at("engine"), "sparse");
  EXPECT_EQ(rows[7].at("median_ms"), 2.5);
}

// There were layers at 168 % of the arithmetic limit, which had been measured at a bad moment.
TEST(LayerTimes, NothingExceedsItsLimit) {
  ModelLatency fast = latency("dense", 1e-5);  // 133,333 GFLOP/s
  fast.result.cell.threads = 2;                // a count of its own: limits stay raised
  for (const auto& row : nlohmann::json::parse(
           layer_records({fast}, testing::sample_machine()).render(Format::json))) {
    if (row.at("limit_percent").is_null()) continue;
    EXPECT_LE(row.at("limit_percent"), 100.0001) << row;
  }
  EXPECT_NE(layer_report({fast}).find("Limits: 133333 GFLOP/s"), std::string::npos)
      << layer_report({fast});
}

TEST(LayerTimes, TheReportHasEnginesSideBySideAndNamesTheFurthest) {
  // Far above any limit that is measured here, also under sanitizers.
  ModelLatency other = latency("sparse", 100);
  other.result.steps.pop_back();
  const std::string text = layer_report({latency("dense", 200), other});
  EXPECT_EQ(text.find("m.safetensors, single-stream, batch 1, 1 thread\nLimits: "), 0u);
  EXPECT_NE(text.find("| dense µs"), std::string::npos);
  EXPECT_NE(text.find("| sparse µs"), std::string::npos);
  const size_t dense = text.find("dense, furthest from their limit:\n- stem: 300000.0 µs, ");
  const size_t sparse = text.find("sparse, furthest from their limit:\n- stem: 150000.0 µs, ");
  EXPECT_NE(dense, std::string::npos);
  EXPECT_NE(sparse, std::string::npos);
  EXPECT_LT(dense, sparse);
  EXPECT_NE(text.find("- block: 200000.0 µs, "), std::string::npos);
  EXPECT_EQ(text.find("- logits"), std::string::npos) << "nothing is known of its limit";
}

TEST(LayerTimes, ModelsAndBatchesHaveTablesOfTheirOwn) {
  ModelLatency other_model = latency("dense", 1), other_batch = latency("dense", 1);
  other_model.model = "other";
  other_batch.result.cell.batch = 64;
  const std::string text = layer_report({latency("dense", 2), other_model, other_batch});
  EXPECT_NE(text.find("other, single-stream, batch 1"), std::string::npos);
  EXPECT_NE(text.find("m.safetensors, offline, batch 64"), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
