#include "tools/measurement/saturations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/kernels/reference/int8.h"
#include "models/fold.h"
#include "tests/support/message_of.h"
#include "tests/support/small_run.h"
#include "tools/training/calibration.h"

namespace edgeprune {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::SmallRun;

struct Integers {
  SmallRun run{24};
  Checkpoint checkpoint;

  Integers() {
    run.train();
    run.model.train(false);
    Checkpoint trained{.model = without_batch_norm(run.model), .info = run.info, .sha256 = ""};
    checkpoint = quantized_checkpoint(trained, run.training, {});
  }
  std::vector<LayerSaturations> count(inference::Engine engine = inference::Engine::int8) const {
    return count_saturations(*checkpoint.model, checkpoint.info, run.training, engine);
  }
};

TEST(Saturations, ThereAreNoneAndEveryOutputIsThatOfWideIntegers) {
  const Integers integers;
  for (const auto engine : {inference::Engine::int8, inference::Engine::int8_sparse}) {
    for (const LayerSaturations& layer : integers.count(engine)) {
      EXPECT_EQ(layer.wrong, 0) << layer.layer;
      EXPECT_EQ(layer.extremes.beyond, 0) << layer.layer;
      EXPECT_THAT(layer.kernel, HasSubstr("int8"));
    }
  }
}

TEST(Saturations, CountEveryImagesOutputs) {
  const Integers integers;
  const auto layers = integers.count();
  EXPECT_EQ(layers[0].layer, "features.0.0");
  EXPECT_EQ(layers[0].extremes.outputs % 24, 0);
  EXPECT_EQ(layers[0].extremes.sums, layers[0].extremes.outputs);
  EXPECT_EQ(layers.back().extremes.sums, 24 * integers.run.training.classes.size());
  EXPECT_EQ(layers.back().extremes.outputs, 0) << "logits are not rounded";
}

TEST(Saturations, ARangeTooTightCutsOutputs) {
  Integers integers;
  const auto wide = integers.count();
  Grid& grid = integers.checkpoint.info.quantization->outputs.at("features.0.2");
  grid.scale /= 16;
  const auto tight = integers.count();
  EXPECT_LT(wide[0].extremes.above, 0.01 * double(wide[0].extremes.outputs));
  EXPECT_GT(tight[0].extremes.above, 0.05 * double(tight[0].extremes.outputs));
  EXPECT_TRUE(tight[0].rectified);
}

TEST(Saturations, TableEndsWithAllLayers) {
  LayerSaturations a{.layer = "a", .kernel = "int8 vnni", .extremes = {.least = -10}};
  a.extremes +=
      {.most = (1LL << 31) - 1, .sums = 4, .beyond = 1, .outputs = 4, .below = 1, .above = 2};
  LayerSaturations b{
      .layer = "b", .kernel = "int8 vnni", .extremes = {}, .wrong = 3, .rectified = true};
  b.extremes += {.sums = 2, .outputs = 2, .below = 2};
  const auto rows = nlohmann::json::parse(saturation_table({a, b}).render(Format::json));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("furthest_percent"), 100);
  EXPECT_EQ(rows[0].at("beyond_32_bits"), 1);
  EXPECT_EQ(rows[0].at("cut_below_percent"), 25);
  EXPECT_EQ(rows[0].at("cut_above_percent"), 50);
  EXPECT_TRUE(rows[1].at("cut_below_percent").is_null()) << "that is what ReLU does";
  EXPECT_EQ(rows[2].at("layer"), "all layers");
  EXPECT_EQ(rows[2].at("wrong_outputs"), 3);
  EXPECT_EQ(rows[2].at("sums"), 6);
}

TEST(Saturations, FloatsHaveNone) {
  const SmallRun run(8);
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                count_saturations(run.model, run.info, run.training, inference::Engine::int8);
              }),
              HasSubstr("expected a quantised model, on int8 or int8-sparse"));
}

}  // namespace
}  // namespace edgeprune
