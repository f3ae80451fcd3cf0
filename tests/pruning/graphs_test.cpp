// Pruning by groups of whatever network: small random ones that branch as real ones do.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "engine/inference/plan.h"
#include "models/fold.h"
#include "pruning/compact.h"
#include "pruning/dead_channels.h"
#include "tests/support/small_graphs.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::logits_of;
using testing::random_tensor;
using testing::relative_error;
using testing::spread;

class RandomGraphs : public ::testing::TestWithParam<uint64_t> {
 protected:
  /// Random batch norms, and random biases of convolutions and linear layers.
  std::unique_ptr<nn::Network> make() const {
    auto model = testing::trained_model(testing::RandomGraph(GetParam()).make());
    uint64_t seed = 1000;
    for (const auto& conv : model->convolutions()) {
      if (!conv->bias.defined()) continue;
      conv->bias.value().copy_from(random_tensor(conv->bias.shape(), ++seed, -0.5f, 0.5f));
    }
    return model;
  }
  const Tensor images_ = random_tensor({6, 16, 16, 3}, 7);
};

TEST_P(RandomGraphs, FoldedGraphsComputeTheSame) {
  const auto model = make();
  const Tensor expected = logits_of(*model, images_);
  EXPECT_GT(spread(expected), 0.1);
  for (const auto engine : inference::float_engines()) {
    inference::Plan plan(fold_batch_norm(*model), engine, 6);
    Tensor logits({6, 10});
    plan.run(images_.data(), logits.data());
    EXPECT_LE(relative_error(logits, expected), 1e-4) << to_string(engine);
  }
}

TEST_P(RandomGraphs, GroupsCoverEveryAxisOfEveryTensorOnceAndFitIt) {
  const auto model = make();
  const auto arrays = model->state_dict();
  std::set<std::pair<std::string, size_t>> seen;
  std::set<std::string> names;
  for (const ChannelGroup& group : channel_groups(model->graph())) {
    EXPECT_TRUE(names.insert(group.name).second) << group.name << " twice";
    for (const auto& [tensor, axis] : group.slices) {
      ASSERT_TRUE(arrays.contains(tensor)) << tensor;
      EXPECT_EQ(arrays.at(tensor).shape[axis], group.channels) << tensor << " " << group.name;
      EXPECT_TRUE(seen.emplace(tensor, axis).second) << tensor << " twice";
    }
  }
  for (const auto& [name, array] : arrays) {  // left over: colours, classes, depthwise inputs
    if (array.shape.rank() == 0) continue;
    EXPECT_EQ(seen.contains({name, 0}), !name.starts_with("head.")) << name;
    if (array.shape.rank() == 1) continue;
    const bool reads = name != "features.0.weight" && !name.ends_with("depthwise.weight");
    EXPECT_EQ(seen.contains({name, 1}), reads) << name;
  }
}

TEST_P(RandomGraphs, CompactedByHalfTheyComputeWhatTheGroupMaskDoes) {
  const auto model = make();
  const ChannelPlan plan = plan_smallest_channels(*model, 0.5);
  ASSERT_GT(removed_channels(plan), 0);
  const auto smaller = compact(*model, plan);
  EXPECT_LT(count_values(smaller->graph()), count_values(model->graph()));
  apply_masks(group_masks(*model, plan), *model);
  EXPECT_GT(spread(logits_of(*model, images_)), 0.05);
  EXPECT_LE(relative_error(logits_of(*smaller, images_), logits_of(*model, images_)), 1e-5);
  inference::Plan folded(fold_batch_norm(*smaller), inference::Engine::onednn, 6);
  Tensor logits({6, 10});
  folded.run(images_.data(), logits.data());
  EXPECT_LE(relative_error(logits, logits_of(*model, images_)), 1e-4);
  model->train();
  smaller->train();
  EXPECT_LE(relative_error(logits_of(*smaller, images_), logits_of(*model, images_)), 1e-4)
      << "in training, too";
}

TEST_P(RandomGraphs, WhatAGroupMaskZeroedIsDead) {
  const auto model = make();
  const ChannelPlan plan = plan_smallest_channels(*model, 0.5);
  apply_masks(group_masks(*model, plan), *model);
  const ChannelPlan dead = plan_dead_channels(*model);
  ASSERT_EQ(dead.size(), plan.size());
  for (size_t g = 0; g < plan.size(); ++g) {
    EXPECT_TRUE(std::includes(plan[g].kept.begin(), plan[g].kept.end(), dead[g].kept.begin(),
                              dead[g].kept.end()))
        << plan[g].group.name;
  }
  EXPECT_LE(relative_error(logits_of(*compact(*model, dead), images_), logits_of(*model, images_)),
            1e-4);
}

/// Without those of whose network hardly anything reaches the logits once half its channels are gone.
std::vector<uint64_t> telling_seeds() {
  std::vector<uint64_t> seeds(28);
  std::iota(seeds.begin(), seeds.end(), 1);
  for (const uint64_t blind : {6, 12, 21, 22}) std::erase(seeds, blind);
  return seeds;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::ValuesIn(telling_seeds()));

TEST(SqueezeAndExcite, ItsFactorsAreInTheExpansionsGroup) {
  const auto groups = channel_groups(testing::squeeze_and_excite_graph());
  std::map<std::string, std::vector<std::string>> tensors;
  for (const auto& group : groups) {
    for (const auto& [tensor, axis] : group.slices) {
      if (tensor.ends_with(".weight") && tensor.find("norm") == std::string::npos) {
        tensors[group.name].push_back(tensor + (axis == 0 ? "" : " reads"));
      }
    }
  }
  using Strings = std::vector<std::string>;
  EXPECT_EQ(tensors["expand-excite.fc2 stream"],
            (Strings{"expand.weight", "excite.fc1.weight reads", "excite.fc2.weight",
                     "project.weight reads"}));
  EXPECT_EQ(tensors["stem-project stream"],
            (Strings{"stem.weight", "expand.weight reads", "project.weight", "head.weight reads"}));
  EXPECT_EQ(groups.size(), 3u);
}

}  // namespace
}  // namespace edgeprune
