// Blocks on small maps of single images, inside whole graphs.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/inference/plan.h"
#include "engine/kernels/simd/target.h"
#include "tests/engine/inference/graphs.h"
#include "tests/engine/inference/reference_outputs.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune::inference {
namespace {

/// A stem, a block of stride 1 with a residual and one of stride 2, on maps of half that size.
Graph small_blocks_on(int64_t size) {
  return testing::GraphBuilder(size, 3)
      .conv(15, 3, 2, 1, Activation::relu6)  // 0
      .pointwise(70, Activation::relu6)      // 1
      .depthwise(1)
      .pointwise(15, Activation::none, 0)  // 3
      .pointwise(90, Activation::relu6)    // 4
      .depthwise(2)
      .pointwise(31, Activation::none)  // 6
      .pool()
      .pointwise(3, Activation::none)
      .build();
}

class SmallBlocks : public testing::OnEveryTarget {};

TEST_P(SmallBlocks, AgreeWithTheReferenceKernelsOnAnySizeBatchAndThreadCount) {
  for (const int64_t size : {11, 14, 28, 33, 56}) {
    const Graph graph = small_blocks_on(size);
    for (const int64_t batch : {1, 3}) {
      const Tensor images = testing::random_tensor({batch, size, size, 3}, 7);
      const Tensor expected = testing::reference_outputs(graph, images).back();
      for (const int threads : {1, 2, 3}) {
        SCOPED_TRACE(fmt::format("{}x{}, batch {}, {} threads", size, size, batch, threads));
        const ThreadScope scope(threads);
        // Dense, and with a sparse layer in either block, which then runs layer by layer.
        for (const size_t sparse : {size_t{8}, size_t{1}, size_t{6}}) {
          Assignment assignment = assignment_of(graph, Engine::dense, batch);
          testing::run_alone(graph, sparse, "csr", assignment);
          Plan plan(graph, assignment, batch);
          Tensor logits(expected.shape(), NAN);
          for (int run = 0; run < 2; ++run) plan.run(images.data(), logits.data());
          EXPECT_LE(testing::relative_error(logits, expected), 1e-5);
        }
      }
    }
  }
}

TEST_P(SmallBlocks, AreTimedLayerByLayer) {
  if (simd::vector_bytes() <= 4) GTEST_SKIP() << "scalar code has no such blocks";
  const ThreadScope scope(2);
  const Graph graph = small_blocks_on(28);
  Plan plan(graph, Engine::dense, 1);
  const Tensor images = testing::random_tensor({1, 28, 28, 3}, 7);
  Tensor logits({1, 3});
  std::vector<double> seconds;
  plan.run(images.data(), logits.data(), &seconds);
  ASSERT_EQ(plan.steps().size(), graph.layers.size() + 1);  // the logits leave their panel
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    EXPECT_EQ(plan.steps()[i].layer, graph.layers[i].name);
    EXPECT_GT(seconds[i], 0);
  }
  EXPECT_EQ(plan.steps()[2].flops, 2.0 * 14 * 14 * 70 * 9);
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SmallBlocks);

}  // namespace
}  // namespace edgeprune::inference
