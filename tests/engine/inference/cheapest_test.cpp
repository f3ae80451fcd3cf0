#include "engine/inference/cheapest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/base/parallel.h"
#include "tests/engine/inference/graphs.h"
#include "tests/support/sanitizers.h"

namespace edgeprune::inference {
namespace {

using testing::kernel_named;

/// Costs that are random, but the same whenever they are asked for.
Costs random_costs(unsigned seed) {
  const auto draw = [seed](size_t what) {
    std::mt19937 generator(seed + static_cast<unsigned>(what));
    return std::uniform_real_distribution<double>(1, 10)(generator);
  };
  return {[draw](const Kernel& kernel, size_t first, const Section&) {
            const auto row = static_cast<size_t>(&kernel - kernel_table().data());
            return double(kernel.layers) * draw(1000 * first + row);
          },
          [draw](Format from, Format, int layer, const Section&) {
            return 0.3 *
                   draw(100000 + 10 * static_cast<size_t>(layer + 1) + static_cast<size_t>(from));
          }};
}

/// What an assignment of whole batches costs, counted plainly.
double cost_of(const Graph& graph, const std::vector<const Kernel*>& kernels, const Costs& costs) {
  const Section section = sections(graph, Grouping::whole_batch, 1).front();
  std::vector<std::vector<Format>> there(graph.layers.size() + 1);
  there[0] = {Format::channels_last};
  double sum = 0;
  const auto bring = [&](int layer, Format format) {
    auto& formats = there[static_cast<size_t>(layer + 1)];
    if (std::ranges::count(formats, format) > 0) return;
    sum += costs.change(formats.front(), format, layer, section);
    formats.push_back(format);
  };
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i] == nullptr) continue;
    const size_t last = i + kernels[i]->layers - 1;
    sum += costs.kernel(*kernels[i], i, section);
    bring(graph.input_of(i), kernels[i]->input);
    if (graph.layers[last].residual >= 0) bring(graph.layers[last].residual, kernels[i]->output);
    there[last + 1] = {kernels[i]->output};
  }
  bring(static_cast<int>(kernels.size()) - 1, Format::channels_last);
  return sum;
}

/// By trying them all.
double least(const Graph& graph, const Costs& costs, std::vector<const Kernel*>& kernels) {
  const size_t i = kernels.size(), count = graph.layers.size();
  if (i == count) return cost_of(graph, kernels, costs);
  double best = INFINITY;
  for (const Kernel& kernel : kernel_table()) {
    if (!supports(kernel, graph, i, sections(graph, Grouping::whole_batch, 1).front())) continue;
    kernels.push_back(&kernel);
    kernels.resize(i + kernel.layers, nullptr);
    best = std::min(best, least(graph, costs, kernels));
    kernels.resize(i);
  }
  return best;
}

TEST(Cheapest, IsTheLeastOfAllWaysThroughChainsSumsAndBranches) {
  const ThreadScope one(1);
  Graph branches = testing::GraphBuilder(80, 3)
                       .conv(6, 3, 2, 1, Activation::relu6)
                       .pointwise(100, Activation::relu6)
                       .depthwise(1)
                       .pointwise(6, Activation::none, 0)
                       .conv(6, 3, 1, 1, Activation::relu6)
                       .pointwise(6, Activation::none, 3)
                       .pool()
                       .pointwise(3, Activation::none)
                       .build();
  branches.layers[4].input = 0;
  for (const Graph& graph : {testing::small_network(), branches}) {
    // Every way is walked anew for each seed: the sanitizers see it in two.
    for (unsigned seed = 1; seed <= (testing::kSanitized ? 2 : 5); ++seed) {
      const Costs costs = random_costs(seed);
      // The last ten layers but one of the first graph would take too long to enumerate.
      Graph small = graph;
      if (small.layers.size() > 8) small.layers.resize(7);
      const auto path = cheapest(small, Grouping::whole_batch, 1, costs);
      ASSERT_TRUE(path);
      EXPECT_DOUBLE_EQ(path->cost, cost_of(small, path->assignment.kernels, costs));
      std::vector<const Kernel*> none;
      EXPECT_DOUBLE_EQ(path->cost, least(small, costs, none));
    }
  }
}

TEST(Cheapest, ManyOutputsStillToBeReadCostTimeInProportion) {
  // Forty outputs that are all read at the end: 3^40 sets of formats.
  testing::GraphBuilder builder(4, 8);
  for (int i = 0; i < 40; ++i) builder.pointwise(8, Activation::relu6);
  for (int i = 0; i < 40; ++i) builder.pointwise(8, Activation::none, i);
  const Graph graph = builder.pool().build();
  const auto path = cheapest(graph, Grouping::whole_batch, 1, random_costs(7));
  ASSERT_TRUE(path);
  EXPECT_DOUBLE_EQ(path->cost, cost_of(graph, path->assignment.kernels, random_costs(7)));
}

TEST(Cheapest, GatheringASecondSectionsImagesIsPaidForOnPanelsAlone) {
  const ThreadScope one(1);
  const Graph graph = testing::network_of_two_stages();
  const size_t cut = sections(graph, Grouping::by_image, 16).at(1).begin;
  for (const double gathering : {0.0, 1e6}) {
    const Costs costs{[](const Kernel& kernel, size_t, const Section&) {
                        return double(kernel.layers) * (kernel.output == Format::panels ? 1 : 2);
                      },
                      [&](Format from, Format to, int, const Section&) {
                        return from != to ? 0.1 : from == Format::panels ? gathering : 0;
                      }};
    const auto path = cheapest(graph, Grouping::by_image, 16, costs);
    ASSERT_TRUE(path);
    const Kernel* before = nullptr;
    for (size_t i = 0; i < cut; ++i) {
      if (path->assignment.kernels[i] != nullptr) before = path->assignment.kernels[i];
    }
    EXPECT_EQ(before->output, gathering == 0 ? Format::panels : Format::channels_last);
  }
}

TEST(Cheapest, NoWayIsSaid) {
  const Costs costs{[](const Kernel&, size_t, const Section&) { return INFINITY; },
                    [](Format, Format, int, const Section&) { return 0.0; }};
  EXPECT_FALSE(cheapest(testing::small_network(), Grouping::whole_batch, 1, costs));
}

}  // namespace
}  // namespace edgeprune::inference
