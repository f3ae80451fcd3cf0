#include "engine/inference/kernel_choices.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "tests/engine/inference/graphs.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

using testing::kernel_named;

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

/// Two layers, of which one is sparse, and a pool.
Graph half_empty() {
  return {{pointwise("half", 128, 256, 0.5), pointwise("empty", 256, 128, 0.99), pool(128)}};
}

std::vector<std::string> names_of(const Assignment& assignment) {
  std::vector<std::string> names;
  for (const Kernel* kernel : assignment.kernels) {
    names.push_back(kernel == nullptr ? "" : kernel->name);
  }
  return names;
}

/// Choices for single images on one thread whose times are all known: every kernel takes 10 a layer and
/// every change of format 1 but for those that are given; plans take what their kernels do, but for the given
/// ones.
class Known {
 public:
  explicit Known(Graph graph) : graph_(std::move(graph)) {
    for (size_t i = 0; i < graph_.layers.size(); ++i) {
      for (const Kernel& kernel : kernel_table()) {
        if (supports(kernel, graph_, i, section())) {
          kernel_takes(kernel.name, i, 10 * double(kernel.layers));
        }
      }
    }
    for (int i = -1; i < static_cast<int>(graph_.layers.size()); ++i) change_takes(i, 1);
  }

  void kernel_takes(const std::string& kernel, size_t first, double seconds) {
    choices.times[times().of_kernel(kernel_named(kernel), first, section())] = seconds;
  }
  void change_takes(int layer, double seconds) {
    const auto [last, panels] = std::pair{Format::channels_last, Format::panels};
    choices.times[times().of_change(last, panels, layer, section())] = seconds;
    choices.times[times().of_change(panels, last, layer, section())] = seconds;
  }
  void plan_takes(const Assignment& plan, double seconds) {
    choices.times[times().of_plan(plan)] = seconds;
  }
  void engine_takes(Engine engine, double seconds) {
    Assignment plan = assignment_of(graph_, engine, 1);
    plan.grouping = Grouping::whole_batch;
    plan_takes(plan, seconds);
  }
  Assignment plan_of(const std::vector<std::string>& names) const {
    Assignment plan;
    for (const std::string& name : names) {
      plan.kernels.push_back(name.empty() ? nullptr : &kernel_named(name));
    }
    return plan;
  }
  Choice choose() { return choices.choose(graph_, 1); }

  const Graph& graph() const { return graph_; }
  KernelChoices choices;

 private:
  Section section() const { return sections(graph_, Grouping::whole_batch, 1).front(); }
  KernelTimes times() { return {graph_, 1, choices.times}; }

  ThreadScope one_{1};
  Graph graph_;
};

TEST(KernelTimes, KnowsKernelsByLayersZerosBatchAndThreads) {
  const ThreadScope one(1);
  Graph graph{{pointwise("layer", 4, 2, 0.0)}};
  graph.layers[0].weight.fill(1.0f);
  std::fill_n(graph.layers[0].weight.data(), 6, 0.0f);
  KernelTimes::Table table;
  const auto name = [&](const char* kernel, int64_t batch, int threads) {
    const ThreadScope scope(threads);
    return KernelTimes(graph, batch, table)
        .of_kernel(kernel_named(kernel), 0, sections(graph, Grouping::by_image, batch)[0]);
  };
  EXPECT_EQ(name("csr", 1, 1), "csr: 4x2 at 8x8, relu6, 75 % zeros; 1 of 1 image, 1 thread");
  EXPECT_EQ(name("csr", 1, 2), "csr: 4x2 at 8x8, relu6, 75 % zeros; 1 of 1 image, 2 threads");
  EXPECT_EQ(name("dense", 3, 2), "dense: 4x2 at 8x8, relu6; 1 of 3 images, 2 threads");
  graph.layers[0].activation = Activation::none;
  EXPECT_EQ(name("dense", 3, 2), "dense: 4x2 at 8x8, none; 1 of 3 images, 2 threads");
}

TEST(KernelChoices, TimesWhatItDoesNotKnow) {
  const ThreadScope one(1);
  const Graph graph = half_empty();
  KernelChoices choices;
  std::vector<std::string> said;
  choices.progress = [&](const std::string& text) { said.push_back(text); };
  const Choice choice = choices.choose(graph, 1);
  // Dense, csr and channels-last for either layer, two pools, at least.
  EXPECT_GE(choice.alternatives.size(), 8u);
  for (const auto& alternative : choice.alternatives) {
    EXPECT_GT(alternative.seconds, 0.0) << alternative.kernel->name;
    EXPECT_LT(alternative.seconds, 1.0) << alternative.kernel->name;
  }
  ASSERT_GE(choice.plans.size(), 3u);
  for (const auto& plan : choice.plans) EXPECT_GT(plan.seconds, 0.0) << plan.name;
  EXPECT_EQ(std::ranges::count(choice.plans, true, &Choice::WholePlan::taken), 1);
  EXPECT_GE(said.size(), 2u);

  const auto known = choices.times;
  said.clear();
  EXPECT_EQ(choices.choose(graph, 1).assignment, choice.assignment);
  EXPECT_EQ(choices.times, known) << "known times were taken anew";
  EXPECT_TRUE(said.empty());
}

TEST(KernelChoices, TakesTheFasterOfKnownTimes) {
  Known known(half_empty());
  known.engine_takes(Engine::dense, 30);
  known.engine_takes(Engine::onednn, 40);
  known.engine_takes(Engine::sparse, 40);
  known.kernel_takes("csr", 1, 5);
  const std::vector<std::string> mixed{"dense", "csr", "panels"};
  known.plan_takes(known.plan_of(mixed), 25);
  EXPECT_EQ(names_of(known.choose().assignment), mixed);
}

TEST(KernelChoices, AChannelsLastKernelIsTakenWhereItSavesMoreThanTheChangesOfFormat) {
  const std::vector<std::string> panels{"dense", "dense", "panels"},
      mixed{"dense", "channels-last", "channels-last"};
  for (const double change : {1.0, 8.0}) {
    Known known(half_empty());
    known.engine_takes(Engine::dense, 30);
    known.engine_takes(Engine::onednn, 60);
    known.engine_takes(Engine::sparse, 60);
    for (const Kernel& kernel : kernel_table()) {
      const bool single = kernel.layers == 1 && kernel.output == Format::channels_last;
      if (single) known.kernel_takes(kernel.name, 0, 100);
    }
    known.kernel_takes("channels-last", 1, 4);
    known.change_takes(0, change);
    known.plan_takes(known.plan_of(mixed), 25);
    EXPECT_EQ(names_of(known.choose().assignment), change == 1.0 ? mixed : panels);
  }
}

TEST(KernelChoices, WhatIsFasterByPartsButNotAsAWholeIsNotTaken) {
  Known known(half_empty());
  known.engine_takes(Engine::dense, 30);
  known.engine_takes(Engine::onednn, 40);
  known.engine_takes(Engine::sparse, 40);
  known.kernel_takes("csr", 1, 5);
  known.plan_takes(known.plan_of({"dense", "csr", "panels"}), 29.5);  // by no more than noise
  const Choice choice = known.choose();
  EXPECT_EQ(names_of(choice.assignment), (std::vector<std::string>{"dense", "dense", "panels"}));
  ASSERT_EQ(choice.plans.size(), 4u);
  EXPECT_EQ(choice.plans[0].name, "dense");
  EXPECT_TRUE(choice.plans[0].taken);
  EXPECT_EQ(choice.plans[3].name, "mixed");
}

TEST(KernelChoices, TheFastestSingleEngineIsTakenWhatever) {
  // Its kernels seem slower one by one.
  Known known(half_empty());
  known.engine_takes(Engine::dense, 30);
  known.engine_takes(Engine::onednn, 20);
  known.engine_takes(Engine::sparse, 25);
  for (const size_t i : {0, 1, 2}) known.kernel_takes("channels-last", i, 10.1);
  known.plan_takes(known.plan_of({"dense", "dense", "panels"}), 30);
  EXPECT_EQ(names_of(known.choose().assignment), std::vector<std::string>(3, "channels-last"));
}

TEST(KernelChoices, ALayerLeavesTheFastestEngineOnlyForMoreThanNoise) {
  Known known(half_empty());
  known.engine_takes(Engine::dense, 40);
  known.engine_takes(Engine::onednn, 40);
  known.engine_takes(Engine::sparse, 30);
  known.kernel_takes("dense", 0, 9.9);
  known.kernel_takes("csr", 1, 5);
  EXPECT_EQ(names_of(known.choose().assignment),
            (std::vector<std::string>{"csr", "csr", "panels"}));
}

TEST(KernelChoices, PlansRunWhatWasChosen) {
  Known known(half_empty());
  known.engine_takes(Engine::dense, 30);
  known.engine_takes(Engine::onednn, 40);
  known.engine_takes(Engine::sparse, 40);
  known.kernel_takes("csr", 0, 5);
  known.plan_takes(known.plan_of({"csr", "dense", "panels"}), 25);
  const Plan plan(known.graph(), Engine::automatic, 1, &known.choices);
  std::vector<std::string> kernels;
  for (const StepInfo& step : plan.steps()) kernels.push_back(step.kernel);
  EXPECT_EQ(kernels,
            (std::vector<std::string>{"to panels", "csr", "dense", "average pool", "from panels"}));
}

/// A stem and a block on a map large enough for bands.
Graph block(double zeros) {
  Graph graph = testing::GraphBuilder(112, 3)
                    .conv(16, 3, 2, 1, Activation::relu6)
                    .pointwise(96, Activation::relu6)
                    .depthwise(1)
                    .pointwise(16, Activation::none)
                    .pool()
                    .pointwise(3, Activation::none)
                    .build();
  for (Layer& layer : graph.layers) {
    if (!layer.pointwise()) continue;
    layer.weight = testing::random_sparse_tensor(layer.weight.shape(), 3, zeros);
  }
  return graph;
}

TEST(KernelChoices, ABlockIsLeftOnlyForWhatSavesMoreThanItDoes) {
  const std::vector<std::string> whole{"stem", "band", "", "", "panels", "dense"},
      apart{"stem", "dense", "panels", "csr", "panels", "dense"};
  for (const double band : {20.0, 29.0}) {
    Known known(block(0.5));
    known.kernel_takes("band", 1, band);
    known.kernel_takes("csr", 3, 5);  // 25 with the layers before it
    known.engine_takes(Engine::dense, 70);
    known.engine_takes(Engine::onednn, 90);
    known.engine_takes(Engine::sparse, 90);
    known.plan_takes(known.plan_of(apart), 60);
    EXPECT_EQ(names_of(known.choose().assignment), band == 20 ? whole : apart);
  }
}

TEST(KernelChoices, FewZerosAreNotTimedSparse) {
  const ThreadScope one(1);
  KernelChoices choices;
  choices.choose(block(0.1), 1);
  for (const auto& [what, seconds] : choices.times) {
    EXPECT_EQ(what.find("csr"), std::string::npos) << what;
  }
}

TEST(KernelChoices, AGraphWithoutChoicesIsNotTimed) {
  KernelChoices choices;
  Layer layer = pool(4);
  layer.kind = Layer::Kind::activation;
  const Choice choice = choices.choose(Graph{{layer}}, 1);
  EXPECT_EQ(names_of(choice.assignment), std::vector<std::string>{"channels-last"});
  EXPECT_TRUE(choices.times.empty());
}

}  // namespace
}  // namespace edgeprune::inference
