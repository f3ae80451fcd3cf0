// Channels under limits and of what remains: make_masks() and plan_smallest_channels().
#include <gtest/gtest.h>

#include <cmath>

#include "models/summary.h"
#include "pruning/compact.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::trained_model;

int64_t zero_channels(const Tensor& mask) {
  const int64_t size = mask.count() / mask.dim(0);
  int64_t zeros = 0;
  for (int64_t c = 0; c < mask.dim(0); ++c) zeros += mask.data()[c * size] == 0.0f;
  return zeros;
}

int64_t kept(const GroupPlan& planned) {
  return static_cast<int64_t>(planned.kept.size());
}

std::string planning_error(const nn::Network& model, double fraction) {
  try {
    plan_smallest_channels(model, fraction);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(ChannelPruning, FractionsOfWhatRemainsAreRoundedPerLayer) {
  const auto model = trained_model(0.25);
  std::map<std::string, int64_t> left;
  for (int step = 0; step < 4; ++step) {
    const Masks masks = make_masks(*model, Method::channel, 0.1, Base::remaining);
    for (const auto& [name, mask] : masks) {
      int64_t& n = left.emplace(name, mask.dim(0)).first->second;
      n -= std::lrint(0.1 * double(n));
      EXPECT_EQ(zero_channels(mask), mask.dim(0) - n) << name << " step " << step;
    }
    apply_masks(masks, *model);
  }
}

TEST(ChannelPruning, KeptLayersAndMinimumDensitiesStay) {
  const auto model = trained_model(0.25);
  const PruneLimits limits{.keep = {"features.3.conv.1.0"}, .min_density = 0.6};
  for (const auto& [name, mask] :
       make_masks(*model, Method::channel, 0.5, Base::original, limits)) {
    const int64_t channels = mask.dim(0);
    EXPECT_EQ(zero_channels(mask), name == "features.3.conv.1.0.weight"
                                       ? 0
                                       : channels - int64_t(std::ceil(0.6 * double(channels))))
        << name;
  }
}

TEST(GroupPlan, FractionsOfTheOriginalCountWhatIsNoLongerThere) {
  const auto model = trained_model(0.25);
  const auto groups = channel_groups(model->graph());
  const auto small = compact(*model, plan_smallest_channels(*model, 0.3));
  const ChannelPlan plan = plan_smallest_channels(*small, 0.5);
  for (size_t g = 0; g < plan.size(); ++g) {
    const int64_t channels = groups[g].channels;
    EXPECT_EQ(kept(plan[g]), channels - std::lrint(0.5 * double(channels))) << groups[g].name;
  }
  EXPECT_EQ(removed_channels(plan_smallest_channels(*small, 0.3)), 0);
  EXPECT_NE(planning_error(*small, 0.2).find("zero already"), std::string::npos)
      << planning_error(*small, 0.2);
}

TEST(GroupPlan, FractionsOfWhatRemainsAreOfWhatIsThereAndNotZero) {
  const auto model = trained_model(0.25);
  apply_masks(group_masks(*model, plan_smallest_channels(*model, 0.3)), *model);
  const auto small = compact(*model, plan_smallest_channels(*model, 0.3));
  const ChannelPlan of_masked = plan_smallest_channels(*model, 0.2, {}, Base::remaining),
                    of_small = plan_smallest_channels(*small, 0.2, {}, Base::remaining);
  for (size_t g = 0; g < of_small.size(); ++g) {
    const int64_t there = of_small[g].group.channels;
    EXPECT_EQ(kept(of_small[g]), there - std::lrint(0.2 * double(there)));
    EXPECT_EQ(kept(of_masked[g]), kept(of_small[g])) << of_small[g].group.name;
  }
}

TEST(GroupPlan, GroupsThatAKeptLayerMakesOrReadsStay) {
  const auto model = trained_model(0.25);
  for (const std::string layer : {"features.0.0", "features.5.conv.2", "classifier.1"}) {
    int64_t held = 0;
    for (const GroupPlan& planned : plan_smallest_channels(*model, 0.5, {}, Base::original,
                                                           {.keep = {layer}, .min_density = 0})) {
      const auto& slices = planned.group.slices;
      const bool touches = std::any_of(slices.begin(), slices.end(), [&](const auto& slice) {
        return slice.tensor == layer + ".weight";
      });
      EXPECT_EQ(kept(planned) == planned.group.channels, touches) << planned.group.name;
      EXPECT_EQ(planned.note, touches ? layer + " is kept as it is" : "");
      held += touches;
    }
    EXPECT_EQ(held, layer == "features.5.conv.2" ? 2 : 1) << layer;
  }
}

TEST(GroupPlan, GroupsKeepTheirMinimumDensityOfTheOriginal) {
  const auto model = trained_model(0.25);
  const auto groups = channel_groups(model->graph());
  const PruneLimits limits{.min_density = 0.6};
  const auto small = compact(*model, plan_smallest_channels(*model, 0.3));
  for (const auto& from : {model.get(), small.get()}) {
    const ChannelPlan plan = plan_smallest_channels(*from, 0.7, {}, Base::original, limits);
    for (size_t g = 0; g < plan.size(); ++g) {
      EXPECT_EQ(kept(plan[g]), int64_t(std::ceil(0.6 * double(groups[g].channels) - 1e-9)));
      EXPECT_NE(plan[g].note.find("at least"), std::string::npos);
    }
  }
}

TEST(GroupPlan, WhatWasZeroedUnderOtherLimitsIsNotRoundedBackUp) {
  const auto model = trained_model(1.0);
  const ChannelPlan half = plan_smallest_channels(*model, 0.5);
  apply_masks(group_masks(*model, half), *model);
  const ChannelPlan rounded = plan_smallest_channels(*model, 0.5, {.round_to = 16});
  for (size_t g = 0; g < half.size(); ++g) EXPECT_EQ(rounded[g].kept, half[g].kept);
  const auto& expansion = rounded[2];
  ASSERT_EQ(expansion.group.name, "features.2 expansion");
  EXPECT_EQ(expansion.note, "") << "48 is a multiple of 16";
  const bool noted = std::any_of(rounded.begin(), rounded.end(), [](const GroupPlan& planned) {
    return planned.note.find("are not zero") != std::string::npos;
  });
  EXPECT_TRUE(noted);
}

}  // namespace
}  // namespace edgeprune
