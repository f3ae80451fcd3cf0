#include "engine/inference/plan.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "engine/base/parallel.h"
#include "engine/inference/int8_graph.h"
#include "engine/inference/int8_reference.h"
#include "engine/inference/kernel_choices.h"
#include "tests/engine/inference/graphs.h"
#include "tests/engine/inference/observed_grids.h"
#include "tests/support/int8.h"
#include "tests/support/message_of.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

using testing::gated_network;
using ::testing::HasSubstr;
using testing::message_of;
using testing::network_of_two_stages;
using ::testing::Not;
using testing::random_tensor;
using testing::relative_error;
using testing::small_network;

Tensor int8_images(const Graph& graph, int64_t batch, uint64_t seed) {
  const Conv2dShape& s = graph.layers.front().shape;
  return random_tensor({batch, s.in_height, s.in_width, s.in_channels}, seed);
}

QuantizedGraph quantized(const Graph& graph) {
  return quantize(graph, testing::observed_grids(graph, int8_images(graph, 8, 7)));
}

Graph in_integers(Graph graph) {
  graph.integers = std::make_shared<const QuantizedGraph>(quantized(graph));
  return graph;
}

std::vector<float> logits_of(Plan& plan, const Tensor& images) {
  std::vector<float> logits(static_cast<size_t>(plan.batch() * plan.classes()), NAN);
  plan.run(images.data(), logits.data());
  return logits;
}

/// Wide 1x1 layers of which one weight in ten is left, one of them with a residual.
Graph sparse_network() {
  Graph graph = testing::GraphBuilder(15, 3)
                    .conv(64, 3, 2, 1, Activation::relu6)  // 0: 8x8
                    .pointwise(130, Activation::none)      // 1
                    .pointwise(250, Activation::relu6)     // 2
                    .depthwise(1)                          // 3
                    .pointwise(130, Activation::none, 1)   // 4: adds 1
                    .pool()
                    .pointwise(5, Activation::none)
                    .build();
  for (const size_t i : {1, 2, 4}) {
    const auto weights = graph.layers[i].weight.values();
    for (size_t k = 0; k < weights.size(); ++k) {
      if (k % 10 != 3) weights[k] = 0.0f;
    }
  }
  return graph;
}

class Int8PlanOnTargets : public testing::OnEveryInt8Target {};

TEST_P(Int8PlanOnTargets, HasThePlainLoopsBitsForAnyBatchAndThreads) {
  for (const Graph& graph :
       {small_network(), network_of_two_stages(), sparse_network(), gated_network()}) {
    const Graph bytes = in_integers(graph);
    const QuantizedGraph& integers = *bytes.integers;
    for (const int64_t batch : {1, 2, 7, 33}) {
      const Tensor images = int8_images(graph, batch, 9);
      std::vector<float> expected;
      for (int64_t n = 0; n < batch; ++n) {
        const float* image = images.data() + n * (images.count() / batch);
        const auto logits = int8_by_plain_loops(integers, image).logits;
        expected.insert(expected.end(), logits.begin(), logits.end());
      }
      for (const int threads : {1, 2, 3}) {
        const ThreadScope scope(threads);
        for (const Engine engine : {Engine::int8, Engine::int8_sparse}) {
          Plan plan(bytes, engine, batch);
          EXPECT_EQ(logits_of(plan, images), expected) << batch << " images, " << threads;
          EXPECT_EQ(logits_of(plan, images), expected) << "run again";
        }
      }
    }
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_INT8_TARGET(Int8PlanOnTargets);

TEST(Int8Plan, IsNearTheFloats) {
  for (const Graph& graph : {small_network(), network_of_two_stages(), gated_network()}) {
    const Tensor images = int8_images(graph, 16, 9);
    const int64_t classes = graph.layers.back().shape.out_channels;
    Tensor floats({16, classes}), integers({16, classes});
    Plan(graph, Engine::dense, 16).run(images.data(), floats.data());
    Plan(in_integers(graph), Engine::automatic, 16).run(images.data(), integers.data());
    EXPECT_LE(relative_error(integers, floats), 0.1);
  }
}

TEST(Int8Plan, StepsAreTheLayersAndReadBytes) {
  const Graph graph = in_integers(small_network());
  const Plan plan(graph, Engine::int8, 1);
  ASSERT_EQ(plan.steps().size(), graph.layers.size());
  EXPECT_THAT(plan.steps()[1].kernel, HasSubstr("int8"));
  EXPECT_EQ(plan.steps()[1].layer, "layer1");
  const Plan floats(small_network(), Engine::onednn, 1);
  EXPECT_LT(plan.steps()[1].bytes, 0.5 * floats.steps()[1].bytes);
}

/// In integers but for these layers.
Graph mixed(Graph graph, const std::vector<size_t>& floats) {
  Grids grids = testing::observed_grids(graph, int8_images(graph, 8, 7));
  for (const size_t i : floats) grids.weight_scales[i].clear();
  graph.integers = std::make_shared<const QuantizedGraph>(quantize(graph, grids));
  return graph;
}

TEST(Int8Plan, LayersInFloatsStandBetweenIntegers) {
  // The stem, the head, a depthwise layer, whose output is added, what adds it, and what pools.
  const std::vector<std::vector<size_t>> kept{{0}, {11}, {2}, {3}, {6}, {9}, {0, 3, 5, 9, 11}};
  const Tensor images = int8_images(small_network(), 16, 9);
  Tensor exact({16, 5}), integers({16, 5}), logits({16, 5});
  Plan(small_network(), Engine::dense, 16).run(images.data(), exact.data());
  Plan(in_integers(small_network()), Engine::int8, 16).run(images.data(), integers.data());
  for (const auto& floats : kept) {
    const Graph graph = mixed(small_network(), floats);
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      Plan plan(graph, Engine::int8, 16);
      plan.run(images.data(), logits.data());
      EXPECT_LE(relative_error(logits, exact), 0.1) << floats.front();
      EXPECT_GT(relative_error(logits, integers), 0) << floats.front();
      for (const StepInfo& step : plan.steps()) {
        if (step.first < 0) continue;
        const bool kept_here = std::ranges::count(floats, size_t(step.first)) > 0;
        // The pool does as what it reads.
        const bool in_floats = step.layer == "pool" ? std::ranges::count(floats, 9) > 0 : kept_here;
        EXPECT_EQ(step.kernel.starts_with("int8"), !in_floats) << step.layer << step.kernel;
      }
    }
  }
}

TEST(Int8Plan, AllLayersInFloatsAreTheFloatNetwork) {
  const Graph graph = mixed(small_network(), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11});
  const Tensor images = int8_images(graph, 4, 9);
  Tensor exact({4, 5}), logits({4, 5});
  Plan(small_network(), Engine::onednn, 4).run(images.data(), exact.data());
  Plan(graph, Engine::int8, 4).run(images.data(), logits.data());
  EXPECT_LE(relative_error(logits, exact), 1e-5);
}

TEST(Int8Plan, ChangesOfFormatStandOncePerMap) {
  const Graph graph = mixed(small_network(), {3});  // which layers 4 and 6 read, both in integers
  std::vector<std::string> changes;
  const Plan plan(graph, Engine::int8, 1);
  for (const StepInfo& step : plan.steps()) {
    if (step.first < 0) changes.push_back(step.layer + ": " + step.kernel);
  }
  EXPECT_THAT(changes, ::testing::ElementsAre("layer3: from int8", "layer4: to int8"));
}

TEST(Int8Plan, GatesAndExcitationsAreIntegersToo) {
  const Plan plan(in_integers(gated_network()), Engine::int8, 1);
  for (const StepInfo& step : plan.steps()) {
    EXPECT_TRUE(step.kernel.starts_with("int8")) << step.layer << ": " << step.kernel;
  }
}

TEST(Int8Plan, SkipsZerosWhereThereAreEnough) {
  const Graph graph = in_integers(sparse_network());
  const Plan plan(graph, Engine::int8_sparse, 1);
  for (const size_t i : {1, 2, 4}) {
    EXPECT_THAT(plan.steps()[i].kernel, HasSubstr("int8 sparse")) << i;
    EXPECT_LT(plan.steps()[i].kernel_flops, 0.2 * plan.steps()[i].flops);
  }
  Graph full = sparse_network();
  for (const size_t i : {1, 2, 4}) {
    full.layers[i].weight = random_tensor(full.layers[i].weight.shape(), i);
  }
  for (const Engine engine : {Engine::int8, Engine::int8_sparse}) {
    const Graph dense = engine == Engine::int8 ? graph : in_integers(full);
    const Plan other(dense, engine, 1);
    for (const StepInfo& step : other.steps()) {
      EXPECT_THAT(step.kernel, Not(HasSubstr("sparse"))) << step.layer;
    }
  }
}

TEST(Int8Plan, AutoTakesALayerOutOfIntegersWhereFloatsAreFasterByFarAndBack) {
  const ThreadScope one(1);
  const Graph graph = in_integers(small_network());
  KernelChoices choices;
  const Choice timed = choices.choose(graph, 1);
  // Whatever these times are: now integers take long in layer 4, changes of format take no time.
  const Section section = sections(graph, Grouping::whole_batch, 1).front();
  KernelTimes times(graph, 1, choices.times);
  for (auto& [what, seconds] : choices.times) seconds = what.find(" to ") == std::string::npos;
  for (auto it = choices.times.begin(); it != choices.times.end();) {
    it = it->first.starts_with("plan ") ? choices.times.erase(it) : std::next(it);
  }
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    for (const Kernel& kernel : kernel_table()) {
      if (!supports(kernel, graph, i, section)) continue;
      const bool bytes = kernel.input == Format::bytes || kernel.output == Format::bytes;
      choices.times[times.of_kernel(kernel, i, section)] =
          i == 4 ? (bytes ? 50 : 1) * double(kernel.layers) : (bytes ? 1 : 50);
    }
  }
  Assignment floats = assignment_of(graph, Engine::int8, 1);
  floats.grouping = Grouping::whole_batch;
  choices.times[times.of_plan(floats)] = 61;
  for (const char* kernel : {"own convolution", "channels-last", "dense", "csr", "csr conv"}) {
    floats.kernels[4] = &testing::kernel_named(kernel);
    choices.times[times.of_plan(floats)] = 12;
  }
  const Choice choice = choices.choose(graph, 1);
  EXPECT_EQ(layers_taken_out_of_integers(graph, choice.assignment), 1u);
  EXPECT_EQ(choice.assignment.kernels[4]->layers, 1u);
  EXPECT_NE(choice.assignment.kernels[4]->input, Format::bytes);
  const Tensor images = int8_images(graph, 1, 9);
  Plan mixed_plan(graph, choice.assignment, 1), int8(graph, Engine::int8, 1);
  const auto near = logits_of(mixed_plan, images), exact = logits_of(int8, images);
  EXPECT_LE(relative_error(Tensor({1, 5}, near), Tensor({1, 5}, exact)), 0.05);
  EXPECT_NE(near, exact);
  EXPECT_EQ(layers_taken_out_of_integers(graph, assignment_of(graph, Engine::int8, 1)), 0u);
}

TEST(Int8Plan, AutoHoldsItsPlanAgainstTheOneThatSkipsZerosWhereThereAreSome) {
  const ThreadScope one(1);
  KernelChoices choices;
  const auto holds = [&](const Graph& graph) {
    const Choice choice = choices.choose(graph, 1);
    return std::ranges::count(choice.plans, "int8-sparse", &Choice::WholePlan::name) > 0;
  };
  EXPECT_TRUE(holds(in_integers(sparse_network())));
  EXPECT_FALSE(holds(in_integers(small_network())));
}

TEST(Int8Plan, EnginesAndNetworksThatDoNotFitAreRefused) {
  EXPECT_EQ(
      message_of<std::invalid_argument>([] { Plan(small_network(), Engine::int8, 1); }),
      "[Plan] the network is in floats: the engine int8 runs quantised ones (edgeprune quantize)");
  for (const Engine engine : {Engine::dense, Engine::sparse, Engine::onednn}) {
    EXPECT_THAT(
        message_of<std::invalid_argument>([&] { Plan(in_integers(small_network()), engine, 1); }),
        HasSubstr(
            "[Plan] the network is quantised: the engines int8, int8-sparse and auto run it"));
  }
}

TEST(Quantize, ZerosStayZerosAndTheLargestWeightIs127) {
  const Graph graph = small_network();
  const QuantizedGraph integers = quantized(graph);
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    if (layer.kind != Layer::Kind::convolution) continue;
    const auto floats = layer.weight.values();
    const QuantizedLayer& q = integers.layers[i];
    const size_t row = floats.size() / q.scales.size();
    for (size_t o = 0; o < q.scales.size(); ++o) {
      int largest = 0;
      for (size_t k = o * row; k < (o + 1) * row; ++k) {
        if (floats[k] == 0.0f) {
          EXPECT_EQ(q.weights[k], 0);
        }
        EXPECT_NEAR(q.weights[k] * q.scales[o], floats[k], 0.51f * q.scales[o]);
        largest = std::max(largest, std::abs(int{q.weights[k]}));
      }
      EXPECT_TRUE(largest == 127 || largest == 0);
    }
  }
}

TEST(Quantize, RowsWithoutWeightsKeepTheirBias) {
  Graph graph = small_network();
  Layer& layer = graph.layers.back();
  std::fill(layer.weight.values().begin(), layer.weight.values().end(), 0.0f);
  Tensor logits({1, 5});
  Plan(in_integers(graph), Engine::int8, 1).run(int8_images(graph, 1, 3).data(), logits.data());
  EXPECT_LE(relative_error(logits.reshape({5}), layer.bias), 1e-6);
}

TEST(Quantize, RefusesInOneLine) {
  const Graph graph = small_network();
  const Grids grids = testing::observed_grids(graph, int8_images(graph, 2, 7));
  const auto refusal = [&](const Graph& g, const Grids& has) {
    return message_of<std::invalid_argument>([&] { quantize(g, has); });
  };
  Grids few = grids;
  few.outputs.pop_back();
  EXPECT_EQ(refusal(graph, few), "[quantize] expected grids of 12 layers, got 11");
  Grids bare = grids;
  bare.weight_scales[4].pop_back();
  EXPECT_THAT(refusal(graph, bare), HasSubstr("[quantize] layer 'layer4' has "));
  Graph pooled = graph;
  pooled.layers[2].kind = Layer::Kind::activation;
  EXPECT_EQ(refusal(pooled, grids),
            "[quantize] layer 'layer2' is neither a convolution, a pool nor a product");
  pooled.layers[2].kind = Layer::Kind::max_pool;
  Grids other = grids;
  other.weight_scales[2].clear();
  other.outputs[2].scale *= 2;
  EXPECT_EQ(refusal(pooled, other),
            "[quantize] layer 'layer2' is a max pool, and has another grid than what it reads");
  Graph infinite = graph;
  infinite.layers[3].weight = random_tensor(graph.layers[3].weight.shape(), 1);
  infinite.layers[3].weight.data()[5] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(refusal(infinite, grids), "[quantize] layer 'layer3' has a weight that is inf");
}

}  // namespace
}  // namespace edgeprune::inference
