#include "engine/inference/live_channels.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "tests/engine/inference/graphs.h"
#include "tests/engine/inference/reference_outputs.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

constexpr int64_t kWide = 40;

void zero_slice(Tensor& weight, int64_t slice) {
  const int64_t size = weight.count() / weight.dim(0);
  std::fill_n(weight.data() + slice * size, size, 0.0f);
}

/// Of the wide channels of a block: 0 to 4 are not read; 5 to 9 have zero filters and, with relu, put
/// out zero; 10 to 24 have zero filters and put out something, which differs at the borders; 25 to 29
/// have a zero depthwise filter; the others stay.
void kill_channels(Layer& widen, Layer& middle, Layer& narrow) {
  for (int64_t c = 0; c < 5; ++c) {
    for (int64_t o = 0; o < narrow.shape.out_channels; ++o) narrow.weight.data()[o * kWide + c] = 0;
  }
  for (int64_t c = 5; c < 25; ++c) {
    zero_slice(widen.weight, c);
    widen.bias.data()[c] = c < 10 ? -0.5f : 0.1f * static_cast<float>(c - 9);
  }
  for (int64_t c = 30; c < kWide; ++c) {  // surely alive
    widen.weight.data()[c * widen.shape.in_channels] = 0.5f;
    narrow.weight.data()[c] = 0.5f;
  }
  if (middle.kind != Layer::Kind::convolution) return;
  for (int64_t c = 10; c < 25; ++c) {
    middle.bias.data()[c] = 0.1f;
    for (int64_t tap = 0; tap < 9; ++tap) {
      middle.weight.data()[c * 9 + tap] = 0.1f * static_cast<float>((c + 2 * tap) % 7);
    }
  }
  for (int64_t c = 25; c < 30; ++c) zero_slice(middle.weight, c);
  for (int64_t c = 30; c < kWide; ++c) middle.weight.data()[c * 9] = 0.5f;
}

Graph graph_of(const Block& block) {
  return {{block.widen, block.middle, block.narrow}};
}

Block block_on(int64_t size, int64_t stride, Activation activation) {
  Graph graph = testing::GraphBuilder(size, 6)
                    .pointwise(kWide, activation)
                    .depthwise(stride)
                    .pointwise(7, Activation::none)
                    .build();
  auto& layers = graph.layers;
  layers[1].activation = activation;
  kill_channels(layers[0], layers[1], layers[2]);
  return {layers[0], layers[1], layers[2]};
}

TEST(LiveChannels, ABlockWithoutTheOthersComputesTheSame) {
  struct Case {
    Activation activation;
    int64_t size, kept;
  };
  constexpr int64_t kBorders = 8, kAlive = 10;
  for (const Case& c :
       {Case{Activation::relu6, 7, kAlive + kBorders},
        Case{Activation::relu6, 8, kAlive + kBorders},
        Case{Activation::relu6, 2, kAlive + kBorders}, Case{Activation::relu, 3, kAlive + kBorders},
        Case{Activation::relu6, 1, kAlive + 15},  // of all 15, nothing tells borders
        Case{Activation::none, 5, kAlive + kBorders}, Case{Activation::hard_swish, 6, kAlive + 20},
        Case{Activation::silu, 6, kAlive + 20}}) {
    for (const int64_t stride : {1, 2}) {
      SCOPED_TRACE(fmt::format("{} on {}x{}, stride {}", name_of(kActivations, c.activation),
                               c.size, c.size, stride));
      const Block block = block_on(c.size, stride, c.activation);
      const Block live = without_constant_channels(block);
      EXPECT_EQ(live.widen.shape.out_channels, c.kept);
      EXPECT_EQ(live.middle.shape.groups, c.kept);
      EXPECT_EQ(live.narrow.shape.in_channels, c.kept);
      const Tensor images = testing::random_tensor({2, c.size, c.size, 6}, 7);
      EXPECT_LE(testing::relative_error(testing::reference_outputs(graph_of(live), images).back(),
                                        testing::reference_outputs(graph_of(block), images).back()),
                1e-5);
    }
  }
}

TEST(LiveChannels, ThePoolHasNoBorders) {
  Graph graph = testing::GraphBuilder(5, 6)
                    .pointwise(kWide, Activation::relu6)
                    .pool()
                    .pointwise(7, Activation::none)
                    .build();
  auto& layers = graph.layers;
  kill_channels(layers[0], layers[1], layers[2]);
  const Block live = without_constant_channels({layers[0], layers[1], layers[2]});
  EXPECT_EQ(live.widen.shape.out_channels, kWide - 25);
  const Tensor images = testing::random_tensor({2, 5, 5, 6}, 7);
  EXPECT_LE(testing::relative_error(testing::reference_outputs(graph_of(live), images).back(),
                                    testing::reference_outputs(graph, images).back()),
            1e-5);
}

TEST(LiveChannels, WhereNothingIsReadOneChannelIsLeft) {
  Block block = block_on(4, 1, Activation::relu6);
  block.narrow.weight.fill(0.0f);
  const Block live = without_constant_channels(block);
  EXPECT_EQ(live.widen.shape.out_channels, 1);
  const Tensor images = testing::random_tensor({1, 4, 4, 6}, 7);
  EXPECT_EQ(testing::values_of(testing::reference_outputs(graph_of(live), images).back()),
            testing::values_of(testing::reference_outputs(graph_of(block), images).back()));
}

/// The stem's block, two blocks with a residual between, and the pool's, of all of which some channels
/// carry nothing.
Graph network_on(int64_t size) {
  Graph graph = testing::GraphBuilder(size, 3)
                    .conv(kWide, 3, 2, 1, Activation::relu6)
                    .depthwise(1)
                    .pointwise(9, Activation::none)
                    .pointwise(kWide, Activation::relu6)
                    .depthwise(1)
                    .pointwise(9, Activation::none, 2)
                    .pointwise(kWide, Activation::relu6)
                    .depthwise(2)
                    .pointwise(11, Activation::none)
                    .pointwise(kWide, Activation::relu6)
                    .pool()
                    .pointwise(5, Activation::none)
                    .build();
  auto& layers = graph.layers;
  for (size_t i = 0; i < layers.size(); i += 3)
    kill_channels(layers[i], layers[i + 1], layers[i + 2]);
  return graph;
}

class SparseBlocks : public testing::OnEveryTarget {};

TEST_P(SparseBlocks, AgreeWithTheReferenceKernelsOnAnySizeBatchAndThreadCount) {
  for (const int64_t size : {9, 28, 32, 160}) {
    const Graph graph = network_on(size);
    for (const int64_t batch : {1, 3, 16}) {
      if (batch > 1 && size > 32) continue;
      const Tensor images = testing::random_tensor({batch, size, size, 3}, 7);
      const Tensor expected = testing::reference_outputs(graph, images).back();
      for (const int threads : {1, 2, 3}) {
        SCOPED_TRACE(fmt::format("{}x{}, batch {}, {} threads", size, size, batch, threads));
        const ThreadScope scope(threads);
        Plan plan(graph, Engine::sparse, batch);
        Tensor logits(expected.shape(), NAN);
        for (int run = 0; run < 2; ++run) plan.run(images.data(), logits.data());
        EXPECT_LE(testing::relative_error(logits, expected), 1e-5);
      }
    }
  }
}

TEST_P(SparseBlocks, AreDescribedByTheLayersAsTheyWere) {
  const Graph graph = network_on(32);
  Plan plan(graph, Engine::sparse, 1);
  const auto step = [&](size_t layer) {
    const auto& steps = plan.steps();
    return *std::find_if(steps.begin(), steps.end(), [&](const StepInfo& info) {
      return info.layer == graph.layers[layer].name && info.flops > 0;
    });
  };
  // Of 40 channels, ten live and eight tell the borders.
  EXPECT_EQ(step(4).flops, 2.0 * 16 * 16 * kWide * 9);
  EXPECT_DOUBLE_EQ(step(4).kernel_flops, 2.0 * 16 * 16 * 18 * 9);
  EXPECT_EQ(step(3).flops, 2.0 * 16 * 16 * 9 * kWide);
  EXPECT_LT(step(3).kernel_flops, 2.0 * 16 * 16 * 9 * 10 + 1);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SparseBlocks);

}  // namespace
}  // namespace edgeprune::inference
