// Blocks that run a band of rows at a time, on maps of every kind of size.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "tests/engine/inference/graphs.h"
#include "tests/engine/inference/reference_outputs.h"
#include "tests/support/sanitizers.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

/// The stem's block, one of stride 2 and one of stride 1 with a residual, wide enough that a band is
/// a part of the map.
Graph blocks_on(int64_t size) {
  return testing::GraphBuilder(size, 3)
      .conv(9, 3, 2, 1, Activation::relu6)  // 0
      .depthwise(1)
      .pointwise(7, Activation::none)     // 2
      .pointwise(100, Activation::relu6)  // 3
      .depthwise(2)
      .pointwise(10, Activation::none)    // 5
      .pointwise(200, Activation::relu6)  // 6
      .depthwise(1)
      .pointwise(10, Activation::none, 5)  // 8
      .pool()
      .pointwise(3, Activation::none)
      .build();
}

class Bands : public testing::OnEveryTarget {};

TEST_P(Bands, AgreeWithTheReferenceKernelsOnAnySizeBatchAndThreadCount) {
  for (const int64_t size : {33, 64, 97, 126, 225}) {
    const Graph graph = blocks_on(size);
    for (const int64_t batch : {1, 3}) {
      // Half of the time, for bands that one such image and three smaller ones have, too.
      if (testing::kSanitized && size > 200 && batch > 1) continue;
      const Tensor images = testing::random_tensor({batch, size, size, 3}, 7);
      const Tensor expected = testing::reference_outputs(graph, images).back();
      for (const Engine engine : {Engine::dense, Engine::sparse}) {
        for (const int threads : {1, 2, 3}) {
          SCOPED_TRACE(fmt::format("{}x{}, batch {}, {} threads", size, size, batch, threads));
          const ThreadScope scope(threads);
          Plan plan(graph, engine, batch);
          Tensor logits(expected.shape(), NAN);
          for (int run = 0; run < 2; ++run) plan.run(images.data(), logits.data());
          EXPECT_LE(testing::relative_error(logits, expected), 1e-5);
        }
      }
    }
  }
}

TEST_P(Bands, NeverHoldAWideMap) {
  const ThreadScope scope(1);
  const Graph graph = blocks_on(225);
  const Conv2dShape& wide = graph.layers[3].shape;
  const Plan plan(graph, Engine::dense, 1);
  EXPECT_LT(plan.arena_bytes(), 4 * wide.output_count() / 2);
  // Each layer has its line all the same.
  EXPECT_EQ(plan.steps().size(), graph.layers.size() + 1);
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    EXPECT_EQ(plan.steps()[i].layer, graph.layers[i].name);
  }
}

TEST_P(Bands, AMapThatOthersReadIsWhole) {
  Graph graph = blocks_on(97);
  graph.layers[8].residual = 6;  // now of as many channels as that
  graph.layers[8].shape.out_channels = 200;
  graph.layers[8].weight = testing::random_tensor({200, 200, 1, 1}, 3);
  graph.layers[8].bias = testing::random_tensor({200}, 4);
  graph.layers[9].shape.in_channels = graph.layers[9].shape.out_channels = 200;
  graph.layers[10].shape.in_channels = 200;
  graph.layers[10].weight = testing::random_tensor({3, 200, 1, 1}, 5);
  const Tensor images = testing::random_tensor({1, 97, 97, 3}, 7);
  const Tensor expected = testing::reference_outputs(graph, images).back();
  Plan plan(graph, Engine::dense, 1);
  Tensor logits(expected.shape());
  plan.run(images.data(), logits.data());
  EXPECT_LE(testing::relative_error(logits, expected), 1e-5);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(Bands);

}  // namespace
}  // namespace edgeprune::inference
