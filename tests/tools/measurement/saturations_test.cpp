#include "tools/measurement/saturations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/json.h"
#include "engine/kernels/reference/int8.h"
#include "models/fold.h"
#include "models/networks.h"
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
    quantize(run.model);
  }
  /// Of random weights.
  explicit Integers(const char* network) {
    nn::Network model(build_network({.name = network, .width = 0.25, .input_size = 32}), 1);
    quantize(model);
  }
  void quantize(nn::Network& model) {
    model.train(false);
    Checkpoint trained{.model = without_batch_norm(model), .info = run.info, .sha256 = ""};
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
  EXPECT_TRUE(tight[0].cuts_below);
}

TEST(Saturations, WhatReLU6CutsAtItsUpperEndIsNotTheGrids) {
  Integers integers;
  Grid& grid = integers.checkpoint.info.quantization->outputs.at("features.0.2");
  for (const float end : {6.0f, std::nextafter(6.0f, 0.0f), 6.1f, 5.0f, 3.0f}) {
    grid.scale = end / float(grid.highest);
    EXPECT_EQ(integers.count()[0].cuts_above, end > 5.5f) << end;
  }
}

TEST(Saturations, ProductsAreCounted) {
  const Integers integers("mobilenet_v3_small");
  int products = 0;
  const auto layers = integers.count();
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    const LayerSaturations& layer = layers[i];
    EXPECT_GT(layer.extremes.outputs, 0) << layer.layer;
    EXPECT_EQ(layer.extremes.outputs % 24, 0) << layer.layer;
    products += layer.extremes.sums == 0 && layer.layer.ends_with(".scale");
  }
  EXPECT_EQ(products, 9) << "one for each squeeze-and-excite";
}

TEST(Saturations, TableEndsWithAllLayers) {
  LayerSaturations a{.layer = "a", .kernel = "int8 vnni", .extremes = {.least = -10}};
  a.extremes +=
      {.most = (1LL << 31) - 1, .sums = 4, .beyond = 1, .outputs = 4, .below = 1, .above = 2};
  LayerSaturations b{.layer = "b",
                     .kernel = "int8 vnni",
                     .extremes = {},
                     .wrong = 3,
                     .cuts_below = true,
                     .cuts_above = true};
  b.extremes += {.sums = 2, .outputs = 4, .below = 2, .above = 1};
  const auto rows = nlohmann::json::parse(saturation_table({a, b}).render(Format::json));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("furthest_percent"), 100);
  EXPECT_EQ(rows[0].at("beyond_32_bits"), 1);
  EXPECT_EQ(rows[0].at("cut_below_percent"), 25);
  EXPECT_EQ(rows[0].at("cut_above_percent"), 50);
  EXPECT_TRUE(rows[1].at("cut_below_percent").is_null()) << "that is what ReLU does";
  EXPECT_TRUE(rows[1].at("cut_above_percent").is_null()) << "that is what ReLU6 does";
  EXPECT_EQ(rows[2].at("cut_above_percent"), 25) << "2 of 8";
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
