#include "pruning/compact.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/inference/plan.h"
#include "engine/nn/network.h"
#include "engine/ops/cross_entropy.h"
#include "models/checkpoint.h"
#include "models/fold.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "pruning/dead_channels.h"
#include "tests/support/paths.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::logits_of;
using testing::random_tensor;
using testing::trained_model;

/// The model with the plan's channels zero instead of gone.
void mask(nn::Network& model, const ChannelPlan& plan) {
  apply_masks(group_masks(model, plan), model);
}

/// A plan that leaves group g with `count(g, channels)` channels, scattered over all of them.
template <typename Count>
ChannelPlan scattered_plan(const nn::Network& model, const Count& count) {
  ChannelPlan plan;
  for (ChannelGroup& group : channel_groups(model.graph())) {
    const int64_t channels = group.channels,
                  kept = count(static_cast<int64_t>(plan.size()), channels);
    GroupPlan planned{std::move(group), {}, ""};
    for (int64_t i = 0; i < kept; ++i) planned.kept.push_back(i * channels / kept);
    plan.push_back(std::move(planned));
  }
  return plan;
}

TEST(ChannelPruning, RemovedChannelsLeaveLogitsUnchanged) {
  const Tensor images = random_tensor({16, 32, 32, 3}, 5);
  for (const double width : {0.25, 1.0}) {
    for (const double fraction : {0.3, 0.5, 0.7}) {
      for (const int64_t multiple : {1, 8}) {
        const auto model = trained_model(width);
        const Tensor dense = logits_of(*model, images);
        const ChannelPlan plan = plan_smallest_channels(*model, fraction, {.round_to = multiple});
        mask(*model, plan);
        const Tensor masked = logits_of(*model, images);
        EXPECT_GT(testing::max_abs_error(masked, dense), 0.01) << "pruning changed nothing";
        for (const ChannelPlan& found : {plan, plan_dead_channels(*model)}) {
          const auto smaller = compact(*model, found);
          EXPECT_LE(testing::max_abs_error(logits_of(*smaller, images), masked), 1e-4)
              << width << " " << fraction << " " << multiple;
        }
      }
    }
  }
}

TEST(Compact, OddChannelCountsComputeTheSameOnEveryEngine) {
  const auto odd = [](int64_t group, int64_t channels) {
    return std::max<int64_t>(1, channels * 2 / 3 - group % 4 * 2 - (channels * 2 / 3 + 1) % 2);
  };
  for (const double width : {0.25, 1.0}) {
    const auto model = trained_model(width);
    const ChannelPlan plan = scattered_plan(*model, odd);
    for (const GroupPlan& planned : plan) ASSERT_EQ(planned.kept.size() % 2, 1u);
    mask(*model, plan);
    const auto smaller = compact(*model, plan);
    for (const int64_t batch : {1, 3, 16}) {
      const Tensor images = random_tensor({batch, 32, 32, 3}, 5);
      const Tensor expected = logits_of(*model, images);
      EXPECT_LE(testing::max_abs_error(logits_of(*smaller, images), expected), 1e-4);
      for (const auto engine : {inference::Engine::dense, inference::Engine::sparse}) {
        inference::Plan inference_plan(fold_batch_norm(*smaller), engine, batch);
        Tensor logits({batch, 10});
        inference_plan.run(images.data(), logits.data());
        EXPECT_LE(testing::max_abs_error(logits, expected), 1e-4)
            << to_string(engine) << " batch " << batch << " width " << width;
      }
    }
  }
}

TEST(Compact, TheSmallestNetworkOfOneChannelEverywhereComputesTheSame) {
  for (const double width : {0.25, 1.0}) {
    const auto model = trained_model(width);
    const ChannelPlan plan = scattered_plan(*model, [](int64_t, int64_t) { return 1; });
    mask(*model, plan);
    const auto smaller = compact(*model, plan);
    const Tensor images = random_tensor({4, 32, 32, 3}, 5);
    const Tensor expected = logits_of(*model, images);
    EXPECT_LE(testing::max_abs_error(logits_of(*smaller, images), expected), 1e-4);
    for (const auto engine : {inference::Engine::dense, inference::Engine::sparse}) {
      inference::Plan inference_plan(fold_batch_norm(*smaller), engine, 4);
      Tensor logits({4, 10});
      inference_plan.run(images.data(), logits.data());
      EXPECT_LE(testing::max_abs_error(logits, expected), 1e-4) << to_string(engine);
    }
  }
}

TEST(Compact, ResidualStreamsStayConsistent) {
  const auto model = trained_model(1.0);
  const auto smaller = compact(*model, plan_smallest_channels(*model, 0.5));
  const Graph &before = model->graph(), &after = smaller->graph();
  ASSERT_EQ(after.nodes.size(), before.nodes.size());
  const auto shapes = infer_shapes(after), were = infer_shapes(before);  // sums fit, too
  for (size_t i = 1; i + 1 < shapes.size(); ++i) {
    EXPECT_EQ(after.nodes[i].name, before.nodes[i].name);
    EXPECT_EQ(after.nodes[i].kind.index(), before.nodes[i].kind.index());
    EXPECT_EQ(after.nodes[i].inputs, before.nodes[i].inputs);
    EXPECT_EQ(shapes[i].channels, were[i].channels / 2) << after.nodes[i].name;
    EXPECT_EQ(shapes[i].height, were[i].height) << after.nodes[i].name;
  }
}

TEST(Compact, WeightsAreThoseOfTheKeptChannels) {
  const auto model = trained_model(1.0);
  const ChannelPlan plan = plan_smallest_channels(*model, 0.3);
  const auto smaller = compact(*model, plan);
  const std::vector<int64_t>*out = nullptr, *in = nullptr;
  for (const GroupPlan& planned : plan) {
    for (const auto& [tensor, axis] : planned.group.slices) {
      if (tensor == "features.4.conv.0.0.weight") (axis == 0 ? out : in) = &planned.kept;
    }
  }
  ASSERT_TRUE(out != nullptr && in != nullptr);
  const auto weight_of = [](const nn::Network& m) {
    return m.state_dict().at("features.4.conv.0.0.weight").to_tensor("");
  };
  const Tensor before = weight_of(*model), after = weight_of(*smaller);
  ASSERT_EQ(after.shape(), (Shape{int64_t(out->size()), int64_t(in->size()), 1, 1}));
  for (size_t o = 0; o < out->size(); ++o) {
    for (size_t i = 0; i < in->size(); ++i) {
      EXPECT_EQ(after.data()[o * in->size() + i], before.data()[(*out)[o] * 24 + (*in)[i]]);
    }
  }
}

TEST(Compact, NothingToRemoveLeavesTheModelAsItIs) {
  const auto model = trained_model(0.25);
  const auto same = compact(*model, plan_dead_channels(*model));
  const auto before = model->state_dict(), after = same->state_dict();
  ASSERT_EQ(after.size(), before.size());
  for (const auto& [name, array] : before) EXPECT_EQ(after.at(name).bytes, array.bytes) << name;
  EXPECT_EQ(same->training(), model->training());
}

TEST(Compact, HalfTheChannelsAreAboutAQuarterOfTheNetwork) {
  const auto model = trained_model(1.0);
  const ModelSummary dense = summarize(*model),
                     half = summarize(*compact(*model, plan_smallest_channels(*model, 0.5)));
  EXPECT_NEAR(double(half.multiply_adds) / double(dense.multiply_adds), 0.27, 0.03);
  EXPECT_NEAR(double(half.parameters) / double(dense.parameters), 0.27, 0.03);
  EXPECT_EQ(half.nonzero_prunable, half.prunable);
}

TEST(Compact, CheckpointsHoldTheSmallerArchitecture) {
  const testing::TemporaryFolder folder;
  const auto model = trained_model(0.25);
  const auto smaller = compact(*model, plan_smallest_channels(*model, 0.3));
  ModelInfo info;
  info.classes.assign(10, "class");
  const std::string path = folder.file("small.safetensors");
  save_checkpoint(path, *smaller, info);
  const Checkpoint loaded = load_checkpoint(path);
  loaded.model->train(false);
  const Tensor images = random_tensor({2, 32, 32, 3}, 5);
  EXPECT_TRUE(testing::identical(logits_of(*loaded.model, images), logits_of(*smaller, images)));
}

/// One step of training on random images.
void train_step(nn::Network& model, optim::Optimizer& optimizer, uint64_t seed) {
  model.train();
  model.set_dropout_rate(0);  // draws by position, and positions change
  optimizer.zero_grad();
  Rng unused(0);
  const std::vector<int> labels{0, 1, 2, 3, 4, 5, 6, 7};
  const Variable logits = model.forward(Variable(random_tensor({8, 32, 32, 3}, seed)), unused);
  ops::cross_entropy(logits, labels).backward();
  optimizer.step(1e-3f);
}

/// Batch norm biases whose gradient can be rounding alone, which Adam makes a whole step of: the
/// projections' (the next batch norm takes every constant out) and, of channels that ReLU6 passes
/// everywhere, the depthwise convolutions' (so does the projection's).
bool is_adrift(const std::string& name) {
  return name.ends_with("conv.3.bias") || name.ends_with("conv.1.1.bias") ||
         name.ends_with("features.1.conv.2.bias") || name.ends_with("features.1.conv.0.1.bias");
}

/// How far two models' arrays are apart.
double largest_difference(const std::map<std::string, Array>& a,
                          const std::map<std::string, Array>& b, bool with_those_adrift) {
  double worst = 0;
  for (const auto& [name, array] : a) {
    if (array.dtype != DType::f32 || (is_adrift(name) && !with_those_adrift)) continue;
    worst =
        std::max(worst, testing::max_abs_error(array.to_tensor(name), b.at(name).to_tensor(name)));
  }
  return worst;
}

TEST(Compact, TrainingGoesOnWithTheOptimisersState) {
  for (const std::string& kind : names_of(optim::kOptimizers)) {
    const auto model = trained_model(0.25);
    const auto optimizer = optim::make_optimizer(kind, model->parameters(), 0);
    for (uint64_t step = 0; step < 2; ++step) train_step(*model, *optimizer, step);

    const ChannelPlan plan = plan_smallest_channels(*model, 0.4);
    hold_masks(group_masks(*model, plan), *optimizer);
    const auto smaller = compact(*model, plan), forgetful = compact(*model, plan);
    const auto its_optimizer = optim::make_optimizer(kind, smaller->parameters(), 0);
    its_optimizer->load_state(compact_arrays(optimizer->state(), plan));
    const auto fresh = optim::make_optimizer(kind, forgetful->parameters(), 0);

    train_step(*model, *optimizer, 2);
    train_step(*smaller, *its_optimizer, 2);
    train_step(*forgetful, *fresh, 2);
    const auto expected = compact_arrays(model->state_dict(), plan);
    const bool all = std::string(kind) == "sgd";
    EXPECT_LE(largest_difference(expected, smaller->state_dict(), all), 1e-4) << kind;
    EXPECT_GT(largest_difference(expected, forgetful->state_dict(), all), 4e-4) << kind;
    EXPECT_EQ(removed_channels(plan_dead_channels(*smaller)), 0);
  }
}

TEST(Compact, PlansForAnotherModelAreRejected) {
  const auto small = trained_model(0.25);
  const nn::Network large(mobilenet_v2(0.5, 32, 10), 0);
  const ChannelPlan plan = plan_smallest_channels(*small, 0.5);
  EXPECT_THROW(compact(large, plan), std::invalid_argument);
  EXPECT_THROW(compact_arrays(large.state_dict(), plan), std::invalid_argument);
  EXPECT_THROW(compact(*small, {}), std::invalid_argument);
  ChannelPlan empty_group = plan;
  empty_group[2].kept.clear();
  EXPECT_THROW(compact(*small, empty_group), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
