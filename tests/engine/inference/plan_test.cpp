// Small random graphs against a chain of reference convolutions.

#include "engine/inference/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "engine/base/parallel.h"
#include "engine/base/timer.h"
#include "engine/kernels/panels/panel_layout.h"
#include "tests/engine/inference/graphs.h"
#include "tests/engine/inference/reference_outputs.h"
#include "tests/support/sanitizers.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

using testing::random_tensor;
using testing::relative_error;

using testing::network_of_two_stages;
using testing::small_network;
using Builder = testing::GraphBuilder;

using testing::reference_outputs;

Tensor run(Plan& plan, const Graph& graph, const Tensor& images) {
  Tensor logits({images.dim(0), graph.layers.back().shape.out_channels}, NAN);
  plan.run(images.data(), logits.data());
  return logits;
}

Tensor images_for(const Graph& graph, int64_t batch) {
  const Conv2dShape& s = graph.layers.front().shape;
  return random_tensor({batch, s.in_height, s.in_width, s.in_channels}, 7);
}

/// (engine, batch)
class PlanOf : public ::testing::TestWithParam<std::tuple<Engine, int64_t>> {
 protected:
  static void expect_reference(const Graph& graph) {
    const auto [engine, batch] = GetParam();
    const Tensor images = images_for(graph, batch);
    const Tensor expected = reference_outputs(graph, images)
                                .back()
                                .reshape({batch, graph.layers.back().shape.out_channels});
    Plan plan(graph, engine, batch);
    EXPECT_LE(relative_error(run(plan, graph, images), expected), 1e-5);
  }
};

TEST_P(PlanOf, AgreesWithTheReferenceKernels) {
  expect_reference(small_network());
}

TEST_P(PlanOf, AgreesInTwoStages) {
  expect_reference(network_of_two_stages());
}

TEST_P(PlanOf, AResidualDoesNotCrossTheStages) {
  expect_reference(Builder(16, 3)
                       .conv(7, 3, 2, 1, Activation::relu6)  // 8x8
                       .pointwise(7, Activation::none)
                       .depthwise(2)  // 4x4
                       .depthwise(1)
                       .pointwise(7, Activation::none)
                       .pointwise(7, Activation::none, 2)
                       .pool()
                       .pointwise(3, Activation::none)
                       .build());
}

TEST_P(PlanOf, AgreesLayerByLayer) {
  // Every layer in turn as the last: a buffer that is overwritten too early cannot hide behind the
  // pool's averaging. (On panels a plan's result is one pixel, hence the pool.)
  const Graph whole = small_network();
  for (size_t count = 1; count <= 10; ++count) {
    SCOPED_TRACE(count);
    Graph graph{{whole.layers.begin(), whole.layers.begin() + static_cast<ptrdiff_t>(count)}};
    const Conv2dShape& last = graph.layers.back().shape;
    graph.layers.push_back({.kind = Layer::Kind::global_average_pool,
                            .name = "pool",
                            .shape = {.in_height = last.out_height(),
                                      .in_width = last.out_width(),
                                      .in_channels = last.out_channels,
                                      .out_channels = last.out_channels},
                            .weight = {},
                            .bias = {}});
    expect_reference(graph);
  }
}

TEST_P(PlanOf, AddsResidualsFromBeforeTheChangeOfLayout) {
  // MobileNetV2 of width 0.25 has one: its stem is as wide as its first block.
  expect_reference(Builder(9, 3)
                       .conv(8, 3, 2, 1, Activation::relu6)
                       .depthwise(1)
                       .pointwise(8, Activation::none, 0)
                       .pool()
                       .pointwise(3, Activation::none)
                       .build());
  expect_reference(Builder(6, 3)
                       .conv(8, 3, 1, 1, Activation::relu6)
                       .conv(8, 3, 1, 1, Activation::relu6)
                       .pointwise(8, Activation::none, 1)
                       .pointwise(8, Activation::relu6, 0)
                       .pool()
                       .pointwise(3, Activation::none)
                       .build());
}

TEST_P(PlanOf, LayersThatPanelsDoNotKnowRunChannelsLast) {
  const Graph graph = Builder(8, 3)
                          .pointwise(6, Activation::relu6)
                          .conv(6, 5, 1, 6, Activation::relu6)
                          .pointwise(7, Activation::none)
                          .pool()
                          .pointwise(3, Activation::none)
                          .build();
  expect_reference(graph);
  const auto [engine, batch] = GetParam();
  if (engine != Engine::sparse) return;
  const Plan plan(graph, engine, batch);
  std::vector<std::string> kernels;
  for (const StepInfo& step : plan.steps()) kernels.push_back(step.kernel);
  EXPECT_EQ(kernels, (std::vector<std::string>{"simd conv", "simd depthwise", "csr conv",
                                               "average pool", "csr conv"}));
}

TEST_P(PlanOf, KeepsAResidualAliveUntilItIsRead) {
  Builder builder(5, 4);
  builder.pointwise(6, Activation::relu6);
  for (int i = 0; i < 6; ++i) builder.pointwise(i % 2 == 0 ? 11 : 6, Activation::relu6);
  expect_reference(builder.pointwise(6, Activation::none, 0)
                       .pointwise(6, Activation::none, 0)
                       .pool()
                       .pointwise(3, Activation::none)
                       .build());
}

TEST_P(PlanOf, RunsTwiceAlike) {
  const auto [engine, batch] = GetParam();
  const Graph graph = small_network();
  const Tensor images = images_for(graph, batch);
  Plan plan(graph, engine, batch);
  const Tensor first = run(plan, graph, images);
  run(plan, graph, random_tensor(images.shape(), 8));  // leaves other values in every buffer
  EXPECT_TRUE(testing::identical(run(plan, graph, images), first));
}

TEST_P(PlanOf, HardlyDependsOnTheThreadCount) {
  const auto [engine, batch] = GetParam();
  const Graph graph = small_network();
  const Tensor images = images_for(graph, batch);
  const auto with = [&, e = engine, b = batch](int threads) {
    const ThreadScope scope(threads);
    Plan plan(graph, e, b);
    return run(plan, graph, images);
  };
  EXPECT_LE(relative_error(with(2), with(1)), 1e-5);
}

TEST_P(PlanOf, LayersWithoutNonzerosGiveTheirBias) {
  Graph graph = small_network();
  for (Layer& layer : graph.layers) {
    if (layer.weight.defined()) layer.weight.fill(0.0f);
  }
  expect_reference(graph);
}

TEST_P(PlanOf, OwnsWhatItNeedsOfTheGraph) {
  const auto [engine, batch] = GetParam();
  auto graph = std::make_unique<Graph>(small_network());
  const Graph copy = *graph;
  const Tensor images = images_for(copy, batch);
  auto made = std::make_unique<Plan>(*graph, engine, batch);
  const Tensor first = run(*made, copy, images);
  graph.reset();
  Plan moved = std::move(*made);
  made.reset();
  EXPECT_TRUE(testing::identical(run(moved, copy, images), first));
}

/// Under the sanitizers auto, which times every kernel for every layer, has three of the batches:
/// it runs the same kernels as the others, which have all.
std::vector<std::tuple<Engine, int64_t>> engines_and_batches() {
  std::vector<std::tuple<Engine, int64_t>> all;
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::automatic, Engine::onednn}) {
    for (const int64_t batch : {1, 3, 12, 17, 64}) {
      const bool slow = engine == Engine::automatic && (batch == 12 || batch == 64);
      if (!testing::kSanitized || !slow) all.emplace_back(engine, batch);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(, PlanOf, ::testing::ValuesIn(engines_and_batches()),
                         [](const auto& test) {
                           return std::string(to_string(std::get<0>(test.param))) + "Batch" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST(Plan, SharesBuffersBetweenLayers) {
  const Graph graph = small_network();
  int64_t all = 0, largest_pair = 0, before = 0;
  for (const Layer& layer : graph.layers) {
    const int64_t size = layer.kind == Layer::Kind::convolution ? layer.shape.output_count()
                                                                : layer.shape.in_channels;
    all += size;
    largest_pair = std::max(largest_pair, before + size);
    before = size;
  }
  const Plan plan(graph, Engine::onednn, 1);
  EXPECT_GE(plan.arena_bytes(), 4 * largest_pair);
  EXPECT_LT(plan.arena_bytes(), 4 * all / 2);
}

TEST(Plan, ABatchHardlyNeedsMoreMemoryThanItsStages) {
  // Image by image, sixteen images at a time: what the stages hand on is all that grows.
  const Graph graph = network_of_two_stages();
  const ThreadScope one(1);
  const Plan small(graph, Engine::dense, 16), large(graph, Engine::dense, 64);
  const int64_t handed_on = PanelLayout{33, 4 * 4}.size();
  EXPECT_EQ(large.arena_bytes() - small.arena_bytes(), 48 * 4 * handed_on);
}

TEST(Plan, StepTimesAddUpToTheRun) {
  const Graph graph = network_of_two_stages();
  for (const int threads : {1, 2}) {
    const ThreadScope scope(threads);
    for (const int64_t batch : {1, 32}) {
      Plan plan(graph, Engine::dense, batch);
      const Tensor images = images_for(graph, batch);
      Tensor logits({batch, plan.classes()});
      std::vector<double> seconds;
      for (int i = 0; i < 3; ++i) plan.run(images.data(), logits.data(), &seconds);
      ASSERT_EQ(seconds.size(), plan.steps().size());
      for (const double time : seconds) EXPECT_GT(time, 0.0);
      const std::vector<double> before = seconds;
      plan.run(images.data(), logits.data(), &seconds);
      for (size_t i = 0; i < seconds.size(); ++i) EXPECT_GT(seconds[i], before[i]);
      const Stopwatch watch;
      std::vector<double> once;
      plan.run(images.data(), logits.data(), &once);
      EXPECT_LE(std::accumulate(once.begin(), once.end(), 0.0), watch.seconds());
    }
  }
}

TEST(Plan, KnowsItsSizes) {
  for (const Engine engine : float_engines()) {
    const Plan plan(small_network(), engine, 3);
    EXPECT_EQ(plan.batch(), 3);
    EXPECT_EQ(plan.classes(), 5);
    EXPECT_EQ(plan.image_size(), 13 * 13 * 3);
  }
}

TEST(Plan, KnowsWhatEveryStepDoes) {
  const auto count = [](const Plan& plan, const std::string& kernel) {
    return std::ranges::count(plan.steps(), kernel, &StepInfo::kernel);
  };
  const Graph graph = small_network();
  const Plan onednn(graph, Engine::onednn, 1), dense(graph, Engine::dense, 1),
      sparse(graph, Engine::sparse, 1);
  EXPECT_EQ(onednn.steps().size(), 12u);
  EXPECT_EQ(count(onednn, "onednn"), 8);
  EXPECT_EQ(count(onednn, "simd depthwise"), 3);
  EXPECT_EQ(dense.steps().size(), 13u);
  EXPECT_EQ(count(dense, "stem"), 1);
  EXPECT_EQ(count(dense, "dense"), 7);
  EXPECT_EQ(count(dense, "depthwise"), 3);
  EXPECT_EQ(count(dense, "average pool"), 1);
  EXPECT_EQ(count(dense, "from panels"), 1);
  EXPECT_EQ(count(sparse, "csr"), 7);
  EXPECT_EQ(count(Plan(graph, Engine::dense, 12), "gather images"), 1);

  const StepInfo& step = sparse.steps()[1];  // 7 to 19 channels on 7x7 pixels, half of them zero
  EXPECT_EQ(step.layer, "layer1");
  EXPECT_EQ(step.flops, 2.0 * 7 * 19 * 49);
  const auto weights = graph.layers[1].weight.values();
  EXPECT_EQ(step.kernel_flops, 2.0 * 49 * (7 * 19 - std::ranges::count(weights, 0.0f)));
  EXPECT_EQ(dense.steps()[1].bytes, 4.0 * (7 * 49 + PanelLayout{19, 49}.size() + 7 * 19));
  EXPECT_EQ(dense.steps()[1].weight_bytes, 4.0 * 7 * 19);
  EXPECT_EQ(dense.steps()[1].weight_share, 4.0 * 7 * 19);
}

/// Expects an error that contains every part.
template <typename Function>
void expect_refused(const Function& function, const std::vector<std::string>& parts) {
  try {
    function();
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(Plan, AnEmptyBatchOrGraphIsRefused) {
  for (const Engine engine : float_engines()) {
    expect_refused([&] { Plan(small_network(), engine, 0); }, {"[Plan]", "got 0"});
    expect_refused([&] { Plan(small_network(), engine, -1); }, {"got -1"});
    expect_refused([&] { Plan(Graph{}, engine, 1); }, {"no layers"});
  }
}

TEST(Plan, AResidualThatNoKernelCanAddIsRefused) {
  const Graph graph = Builder(8, 3)
                          .pointwise(6, Activation::relu6)
                          .conv(6, 3, 1, 6, Activation::relu6, 0)
                          .pool()
                          .build();
  for (const Engine engine : float_engines()) {
    expect_refused([&] { Plan(graph, engine, 1); }, {"'layer1'", "residual"});
  }
}

TEST(Plan, AResidualFromALaterLayerIsRefused) {
  Graph graph = small_network();
  graph.layers[3].residual = 3;
  for (const Engine engine : float_engines()) {
    expect_refused([&] { Plan(graph, engine, 1); }, {"'layer3'"});
  }
}

}  // namespace
}  // namespace edgeprune::inference
