#include "engine/inference/kernel_choices.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

Layer pointwise(const std::string& name, int64_t in, int64_t out, double zeros) {
  return {.name = name,
          .shape = {.in_height = 8, .in_width = 8, .in_channels = in, .out_channels = out},
          .weight = testing::random_sparse_tensor({out, in, 1, 1}, 1, zeros),
          .bias = testing::random_tensor({out}, 2),
          .activation = Activation::relu6};
}

Layer pool(int64_t channels) {
  return {
      .kind = Layer::Kind::global_average_pool,
      .name = "pool",
      .shape = {.in_height = 8, .in_width = 8, .in_channels = channels, .out_channels = channels},
      .weight = {},
      .bias = {}};
}

/// Two layers in which the faster kernel is beyond doubt.
Graph full_and_empty() {
  return {{pointwise("full", 128, 256, 0.0), pointwise("empty", 256, 128, 0.99), pool(128)}};
}

TEST(KernelChoices, KnowsLayersByShapeZerosBatchAndThreads) {
  Layer layer = pointwise("layer", 4, 2, 0.0);
  layer.weight.fill(1.0f);
  std::fill_n(layer.weight.data(), 6, 0.0f);
  EXPECT_EQ(KernelChoices::key(layer, 3, 1), "4x2 at 8x8, 75 % zeros, batch 3, 1 thread");
  EXPECT_EQ(KernelChoices::key(layer, 1, 2), "4x2 at 8x8, 75 % zeros, batch 1, 2 threads");
  EXPECT_EQ(KernelChoices::key(pool(4), 1, 1), "");
  layer.shape.kernel = 3;
  EXPECT_EQ(KernelChoices::key(layer, 1, 1), "");
}

TEST(KernelChoices, TimesWhatItDoesNotKnow) {
  const ThreadScope one(1);
  KernelChoices choices;
  EXPECT_EQ(choices.choose(full_and_empty(), 1).size(), 3u);
  ASSERT_EQ(choices.times.size(), 2u);
  for (const auto& [layer, times] : choices.times) {
    EXPECT_GT(times.dense, 0.0) << layer;
    EXPECT_GT(times.sparse, 0.0) << layer;
  }
}

TEST(KernelChoices, TakesTheFasterOfKnownTimes) {
  const ThreadScope one(1);
  const Graph graph = full_and_empty();
  KernelChoices choices;
  const std::string full = KernelChoices::key(graph.layers[0], 1, 1);
  const std::string empty = KernelChoices::key(graph.layers[1], 1, 1);
  choices.times = {{full, {.dense = 1, .sparse = 2}}, {empty, {.dense = 2, .sparse = 1}}};
  EXPECT_EQ(choices.choose(graph, 1), (std::vector<bool>{false, true, false}));
  choices.times = {{full, {.dense = 2, .sparse = 1}}, {empty, {.dense = 1, .sparse = 2}}};
  EXPECT_EQ(choices.choose(graph, 1), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(choices.times.at(full).dense, 2) << "known times were taken anew";
}

TEST(KernelChoices, ALayerLeavesTheBetterEngineOnlyForMoreThanNoise) {
  const ThreadScope one(1);
  const Graph graph = full_and_empty();
  KernelChoices choices;
  const std::string full = KernelChoices::key(graph.layers[0], 1, 1);
  const std::string empty = KernelChoices::key(graph.layers[1], 1, 1);
  choices.times = {{full, {.dense = 1, .sparse = 1.01}}, {empty, {.dense = 2, .sparse = 1}}};
  EXPECT_EQ(choices.choose(graph, 1), (std::vector<bool>{true, true, false}));
  choices.times = {{full, {.dense = 1, .sparse = 2}}, {empty, {.dense = 1, .sparse = 0.99}}};
  EXPECT_EQ(choices.choose(graph, 1), (std::vector<bool>{false, false, false}));
}

TEST(KernelChoices, PlansRunWhatWasChosen) {
  const ThreadScope one(1);
  const Graph graph = full_and_empty();
  KernelChoices choices;
  choices.times = {{KernelChoices::key(graph.layers[0], 2, 1), {.dense = 2, .sparse = 1}},
                   {KernelChoices::key(graph.layers[1], 2, 1), {.dense = 1, .sparse = 2}}};
  const Plan plan(graph, Engine::automatic, 2, &choices);
  const auto kernel_of = [&](const std::string& layer) {
    return std::ranges::find_if(
               plan.steps(),
               [&](const StepInfo& step) { return step.layer == layer && step.flops > 0; })
        ->kernel;
  };
  EXPECT_EQ(kernel_of("full"), "csr");
  EXPECT_EQ(kernel_of("empty"), "dense");
}

TEST(KernelChoices, AGraphWithoutChoicesIsNotTimed) {
  KernelChoices choices;
  EXPECT_EQ(choices.choose(Graph{{pool(4)}}, 1), std::vector<bool>{false});
  EXPECT_TRUE(choices.times.empty());
}

}  // namespace
}  // namespace edgeprune::inference
