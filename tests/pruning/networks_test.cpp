// Every network by name: all engines compute what it does, half of it computes what its group mask does.

#include "models/networks.h"

#include <gtest/gtest.h>

#include "engine/inference/plan.h"
#include "models/fold.h"
#include "pruning/compact.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::logits_of;
using testing::random_tensor;

class PrunedNetworks : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<nn::Network> make() const {
    return testing::trained_model(build_network({GetParam(), 0.25, kSize, 10}));
  }
  static void expect_on_all_engines(const nn::Network& model, const Tensor& images,
                                    const Tensor& expected) {
    for (const auto engine : inference::float_engines()) {
      inference::Plan plan(fold_batch_norm(model), engine, images.dim(0));
      Tensor logits(expected.shape());
      plan.run(images.data(), logits.data());
      EXPECT_LE(testing::relative_error(logits, expected), 1e-4) << to_string(engine);
    }
  }
  static constexpr int64_t kSize = 64;
  const Tensor images_ = random_tensor({4, kSize, kSize, 3}, 7);
};

TEST_P(PrunedNetworks, RunAlikeOnAllEngines) {
  const auto model = make();
  const Tensor expected = logits_of(*model, images_);
  EXPECT_GT(testing::spread(expected), 0.1);
  expect_on_all_engines(*model, images_, expected);
}

TEST_P(PrunedNetworks, HalfTheChannelsComputeWhatTheirGroupMaskDoes) {
  const auto model = make();
  const ChannelPlan plan = plan_smallest_channels(*model, 0.5);
  const auto smaller = compact(*model, plan);
  apply_masks(group_masks(*model, plan), *model);
  const Tensor masked = logits_of(*model, images_);
  EXPECT_GT(testing::spread(masked), 0.01);
  EXPECT_LE(testing::relative_error(logits_of(*smaller, images_), masked), 1e-5);
  expect_on_all_engines(*smaller, images_, masked);
  EXPECT_LT(2 * count_values(smaller->graph()), count_values(model->graph()));
}

INSTANTIATE_TEST_SUITE_P(All, PrunedNetworks, ::testing::ValuesIn(network_names()),
                         [](const auto& network) { return network.param; });

}  // namespace
}  // namespace edgeprune
