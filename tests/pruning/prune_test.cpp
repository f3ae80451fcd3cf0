#include "pruning/prune.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/nn/network.h"
#include "engine/optim/optimizer.h"
#include "models/mobilenet_v2.h"
#include "models/summary.h"
#include "pruning/compact.h"
#include "tests/support/masked_model.h"
#include "tests/support/sanitizers.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::trained_model;

std::string error_of(const PruneRequest& request) {
  try {
    prune(trained_model(0.25), request);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

/// Sparsity in percent of all parameters after a whole schedule, on the network of the original
/// study (the published one that this project follows).
double percent_after(PruningSchedule schedule, Method method, double target) {
  auto model = trained_model(mobilenet_v2(1.0, 64, 10));
  for (const PruningStep& step : pruning_steps(schedule, method, target)) {
    model = prune(std::move(model), {.method = method, .step = step}).model;
  }
  const ModelSummary summary = summarize(*model);
  EXPECT_EQ(summary.parameters, 2236682);
  return 100 * summary.sparsity();
}

TEST(Prune, CompoundingGivesTheOriginalStudysFigures) {
  const auto compounding = [](Method method, double target) {
    return percent_after(PruningSchedule::compounding, method, target);
  };
  // By the formula 26.53; with each layer's count rounded 26.56, the original study's 26.6.
  EXPECT_NEAR(compounding(Method::channel, 0.3), 26.56, 0.005);
  // Other numbers by the same code. (EveryMethod prunes by magnitude, again and again.)
  if (testing::kSanitized) return;
  EXPECT_NEAR(compounding(Method::magnitude, 0.5), 83.6, 0.05);
  EXPECT_NEAR(compounding(Method::magnitude, 0.7), 96.7, 0.05);
  EXPECT_NEAR(compounding(Method::channel, 0.5), 40.1, 0.05);
  EXPECT_NEAR(compounding(Method::channel, 0.7), 51.1, 0.05);
}

TEST(Prune, ExactStepsLandOnTheWeight) {
  for (const PruningSchedule schedule : {PruningSchedule::exact, PruningSchedule::cubic}) {
    // A narrower network under the sanitizers: they see the same code on fewer weights.
    auto model = trained_model(testing::kSanitized ? 0.25 : 1.0);
    const int64_t weights = testing::kSanitized ? summarize(*model).prunable : 2202560;
    for (const PruningStep& step : pruning_steps(schedule, Method::magnitude, 0.7)) {
      model = prune(std::move(model), {.method = Method::magnitude, .step = step}).model;
      const ModelSummary summary = summarize(*model);
      EXPECT_EQ(summary.prunable - summary.nonzero_prunable,
                std::llround(step.fraction * double(weights)));
    }
    EXPECT_EQ(summarize(*model).nonzero_prunable, weights - std::llround(0.7 * double(weights)));
  }
}

TEST(Prune, ExactStepsOfChannelsLandOnTheSameCountsAsOneShot) {
  for (const Method method : {Method::channel, Method::channel_taylor}) {
    for (const PruneMode mode : values_in(kPruneModes)) {
      std::vector<ModelSummary> ends;
      for (const PruningSchedule schedule : {PruningSchedule::one_shot, PruningSchedule::exact}) {
        auto model = trained_model(0.25);
        for (const PruningStep& step : pruning_steps(schedule, method, 0.6)) {
          model = prune(std::move(model), {.method = method, .mode = mode, .step = step},
                        testing::samples_like_values)
                      .model;
        }
        ends.push_back(summarize(*model));
      }
      EXPECT_EQ(ends[0].parameters, ends[1].parameters) << to_string(mode);
      if (mode == PruneMode::mask) {
        EXPECT_EQ(ends[0].nonzero_prunable, ends[1].nonzero_prunable);
      }
      EXPECT_EQ(ends[0].parameters < 100000, mode == PruneMode::compact) << ends[0].parameters;
    }
  }
}

TEST(Prune, CompactIsWhatTheGroupMaskedModelBecomes) {
  const PruningStep half{0.5};
  const Pruned masked =
      prune(trained_model(0.25),
            {.method = Method::channel, .mode = PruneMode::group_mask, .step = half});
  const Pruned small = prune(trained_model(0.25),
                             {.method = Method::channel, .mode = PruneMode::compact, .step = half});
  ASSERT_TRUE(masked.plan && small.plan);
  EXPECT_GT(removed_channels(*small.plan), 0);
  const auto compacted = compact(*masked.model, *masked.plan)->state_dict();
  for (const auto& [name, array] : small.model->state_dict()) {
    EXPECT_EQ(array.bytes, compacted.at(name).bytes) << name;
  }
}

/// Steps of an optimiser whose every gradient is 1.
void train(nn::Network& model, const Masks& masks) {
  const auto optimizer = optim::make_optimizer("adam", model.parameters(), 0.01f);
  hold_masks(masks, *optimizer);
  for (int step = 0; step < 3; ++step) {
    optimizer->zero_grad();
    for (NamedVariable& parameter : model.parameters()) {
      parameter.variable.backward(Tensor(parameter.variable.shape(), 1.0f));
    }
    optimizer->step(0.01f);
  }
}

TEST(Prune, MasksHoldWhatIsZeroBatchNormIncluded) {
  for (const auto& [method, mode] : {std::pair{Method::magnitude, PruneMode::mask},
                                     {Method::lamp, PruneMode::mask},
                                     {Method::taylor, PruneMode::mask},
                                     {Method::channel, PruneMode::mask},
                                     {Method::channel, PruneMode::group_mask},
                                     {Method::channel_taylor, PruneMode::mask},
                                     {Method::channel_taylor, PruneMode::group_mask}}) {
    Pruned pruned = prune(trained_model(0.25), {.method = method, .mode = mode, .step = {0.5}},
                          testing::samples_like_values);
    const Masks zeros = masks_of_zeros(*pruned.model);
    EXPECT_EQ(pruned.masks.contains("features.2.conv.0.1.bias"), mode == PruneMode::group_mask);
    train(*pruned.model, pruned.masks);
    const Masks after = masks_of_zeros(*pruned.model);
    ASSERT_EQ(after.size(), zeros.size());
    for (const auto& [name, mask] : zeros) {
      EXPECT_TRUE(testing::identical(mask, after.at(name))) << to_string(mode) << " " << name;
    }
  }
}

TEST(Prune, MasksCoverWhatWentBefore) {
  // Channels after weights: the weights stay pruned.
  auto model = prune(trained_model(0.25), {.method = Method::magnitude, .step = {0.3}}).model;
  const Masks before = masks_of_zeros(*model);
  const Pruned pruned = prune(std::move(model), {.method = Method::channel, .step = {0.2}});
  for (const auto& [name, mask] : before) {
    const Tensor& held = pruned.masks.at(name);
    for (int64_t i = 0; i < mask.count(); ++i) {
      ASSERT_LE(held.data()[i], mask.data()[i]) << name;
    }
  }
}

TEST(Prune, GroupsThatCannotShrinkAreAnError) {
  PruneRequest request{.method = Method::channel,
                       .mode = PruneMode::compact,
                       .step = {0.1},
                       .limits = {.min_density = 1}};
  EXPECT_NE(error_of(request).find("no group can shrink by 0.1 of its original channels"),
            std::string::npos)
      << error_of(request);
  request.limits.min_density = 0.95;  // of 64 channels three may go
  EXPECT_EQ(error_of(request), "none");
  request.limits.min_density = 0;
  request.groups.min_channels = 100000;
  EXPECT_NE(error_of(request).find("no group can shrink"), std::string::npos);
}

TEST(Prune, ModesAreForChannelsAndNamed) {
  EXPECT_TRUE(methods_that(is_structured).starts_with("channel")) << methods_that(is_structured);
  for (const PruneMode mode : {PruneMode::group_mask, PruneMode::compact}) {
    const PruneRequest request{.method = Method::lamp, .mode = mode, .step = {0.5}};
    EXPECT_NE(error_of(request).find("is for method " + methods_that(is_structured) + ", not lamp"),
              std::string::npos);
  }
  for (const PruneMode mode : values_in(kPruneModes)) {
    EXPECT_EQ(parse_prune_mode(to_string(mode)), mode);
  }
  EXPECT_THROW(parse_prune_mode("shrink"), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
