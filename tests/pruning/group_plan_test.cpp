#include "pruning/group_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/ops/cross_entropy.h"
#include "models/fold.h"
#include "models/summary.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::trained_model;

std::string error_of(const nn::Network& model, double fraction, const GroupLimits& limits = {}) {
  try {
    plan_smallest_channels(model, fraction, limits);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

int64_t removed_of(const GroupPlan& planned) {
  return planned.group.channels - static_cast<int64_t>(planned.kept.size());
}

TEST(GroupPlan, TheShareOfEveryGroupGoes) {
  const auto model = trained_model(0.25);
  for (const double fraction : {0.0, 0.1, 0.3, 0.5, 0.7}) {
    int64_t all = 0;
    for (const GroupPlan& planned : plan_smallest_channels(*model, fraction)) {
      EXPECT_EQ(removed_of(planned), std::lrint(fraction * double(planned.group.channels)))
          << planned.group.name;
      EXPECT_TRUE(std::is_sorted(planned.kept.begin(), planned.kept.end()));
      EXPECT_EQ(planned.note, "");
      all += removed_of(planned);
    }
    EXPECT_EQ(removed_channels(plan_smallest_channels(*model, fraction)), all);
  }
}

/// The parameters of one channel of a group, squared and summed, the slow way.
double squared_norm(const nn::Network& model, const ChannelGroup& group, int64_t channel) {
  double sum = 0;
  for (const auto& [name, variable] : model.parameters()) {
    for (const auto& [tensor, axis] : group.slices) {
      if (tensor != name) continue;
      const Tensor& value = variable.value();
      const Shape& shape = value.shape();
      for (int64_t i = 0; i < value.count(); ++i) {
        int64_t index[4] = {0, 0, 0, 0}, rest = i;
        for (size_t d = shape.rank(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
        if (index[axis] == channel) sum += double(value.data()[i]) * value.data()[i];
      }
    }
  }
  return sum;
}

TEST(GroupPlan, TheSmallestNormsGo) {
  const auto model = trained_model(0.25);
  for (const GroupPlan& planned : plan_smallest_channels(*model, 0.4)) {
    if (planned.group.channels > 100) continue;  // slow
    double largest_gone = 0, smallest_kept = std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < planned.group.channels; ++c) {
      const double norm = squared_norm(*model, planned.group, c);
      if (std::binary_search(planned.kept.begin(), planned.kept.end(), c)) {
        smallest_kept = std::min(smallest_kept, norm);
      } else {
        largest_gone = std::max(largest_gone, norm);
      }
    }
    EXPECT_LT(largest_gone, smallest_kept * (1 + 1e-9)) << planned.group.name;
  }
}

TEST(GroupPlan, EveryMemberOfTheGroupCounts) {
  // One layer's values decide when all others are equal: each in its turn.
  for (const size_t slice : {0u, 1u, 2u, 5u, 6u, 7u, 10u}) {
    const auto model = trained_model(0.25);
    const auto parameters = model->parameters();
    for (const NamedVariable& parameter : parameters) {
      Variable(parameter.variable).value().fill(1.0f);
    }
    auto groups = channel_groups(model->graph());
    const ChannelGroup& group = groups[1];
    ASSERT_EQ(group.name, "features.2 expansion");
    const auto& [name, axis] = group.slices[slice];
    for (const NamedVariable& parameter : parameters) {
      if (parameter.name != name) continue;
      Variable variable = parameter.variable;
      const int64_t inner = axis == 0 ? variable.value().count() / group.channels : 1;
      for (int64_t i = 0; i < inner; ++i) variable.value().data()[7 * inner + i] = 0.5f;
    }
    const auto plan = plan_smallest_channels(*model, 1.0 / double(group.channels));
    ASSERT_EQ(removed_of(plan[1]), 1);
    EXPECT_FALSE(std::binary_search(plan[1].kept.begin(), plan[1].kept.end(), 7)) << name;
  }
}

TEST(GroupPlan, TiesGoToTheFirstChannels) {
  const auto model = trained_model(0.25);
  for (NamedVariable& parameter : model->parameters()) parameter.variable.value().fill(0.5f);
  for (const GroupPlan& planned : plan_smallest_channels(*model, 0.5)) {
    EXPECT_EQ(planned.kept.front(), removed_of(planned)) << planned.group.name;
    EXPECT_EQ(planned.kept.back(), planned.group.channels - 1);
  }
}

TEST(GroupPlan, RoundsWhatStaysUpToAMultiple) {
  const auto model = trained_model(1.0);
  for (const int64_t multiple : {8, 16}) {
    for (const double fraction : {0.3, 0.5, 0.7}) {
      const auto exact = plan_smallest_channels(*model, fraction);
      const auto rounded = plan_smallest_channels(*model, fraction, {.round_to = multiple});
      for (size_t g = 0; g < exact.size(); ++g) {
        const auto wanted = static_cast<int64_t>(exact[g].kept.size()),
                   kept = static_cast<int64_t>(rounded[g].kept.size());
        const int64_t channels = exact[g].group.channels;
        const std::string& note = rounded[g].note;
        if (channels <= multiple || wanted % multiple == 0) {
          EXPECT_EQ(kept, wanted) << exact[g].group.name;
          EXPECT_EQ(note, "");
        } else {
          EXPECT_TRUE(kept % multiple == 0 || kept == channels) << exact[g].group.name;
          EXPECT_GT(kept, wanted);
          EXPECT_LT(kept - wanted, multiple);
          EXPECT_NE(note.find("multiple of " + std::to_string(multiple)), std::string::npos)
              << note;
          EXPECT_EQ(note.find("more than there are") != std::string::npos, kept % multiple != 0);
        }
        EXPECT_TRUE(std::includes(rounded[g].kept.begin(), rounded[g].kept.end(),
                                  exact[g].kept.begin(), exact[g].kept.end()));
      }
    }
  }
}

TEST(GroupPlan, AGroupsLastChannelStays) {
  const auto model = trained_model(0.25);
  for (const GroupPlan& planned : plan_smallest_channels(*model, 0.9999)) {
    EXPECT_EQ(planned.kept.size(), 1u) << planned.group.name;
    EXPECT_EQ(planned.note, "a group's last channel cannot go");
  }
}

TEST(GroupPlan, AMinimumWidthStays) {
  const auto model = trained_model(0.25);
  for (const GroupPlan& planned : plan_smallest_channels(*model, 0.9, {.min_channels = 10})) {
    const int64_t channels = planned.group.channels, wanted = channels - removed_of(planned);
    EXPECT_EQ(wanted, std::max(std::min<int64_t>(channels, 10),
                               channels - std::lrint(0.9 * double(channels))));
    if (channels == 8) {
      EXPECT_EQ(planned.note, "at least 8 channels stay");
    }
  }
}

TEST(GroupPlan, BadFractionsAndLimitsAreRejected) {
  const auto model = trained_model(0.25);
  for (const double fraction : {1.0, 1.5, -0.1, std::nan(""), double(INFINITY)}) {
    EXPECT_NE(error_of(*model, fraction).find("[0, 1)"), std::string::npos) << fraction;
  }
  EXPECT_NE(error_of(*model, 0.5, {.round_to = 0}).find("positive"), std::string::npos);
  EXPECT_NE(error_of(*model, 0.5, {.min_channels = -1}).find("positive"), std::string::npos);
}

TEST(GroupPlan, ParametersThatAreNotFiniteAreRejected) {
  for (const char* name : {"features.3.conv.1.0.weight", "features.3.conv.1.1.bias"}) {
    const auto model = trained_model(0.25);
    for (NamedVariable& parameter : model->parameters()) {
      if (parameter.name == name) parameter.variable.value().data()[1] = NAN;
    }
    EXPECT_NE(error_of(*model, 0.5).find("channels of features.3 expansion are finite"),
              std::string::npos)
        << error_of(*model, 0.5);
  }
}

TEST(GroupMasks, RepeatedPruningOnlyAddsAndMeetsItsTarget) {
  const auto model = trained_model(0.25);
  ChannelPlan before = plan_smallest_channels(*model, 0);
  for (const double fraction : {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}) {
    const ChannelPlan plan = plan_smallest_channels(*model, fraction);
    for (size_t g = 0; g < plan.size(); ++g) {
      EXPECT_EQ(removed_of(plan[g]), std::lrint(fraction * double(plan[g].group.channels)));
      EXPECT_TRUE(std::includes(before[g].kept.begin(), before[g].kept.end(), plan[g].kept.begin(),
                                plan[g].kept.end()));
    }
    apply_masks(group_masks(*model, plan), *model);
    before = plan;
  }
  EXPECT_NE(error_of(*model, 0.3).find("zero already"), std::string::npos);
}

TEST(GroupMasks, FoldedOutputsOfRemovedChannelsAreExactlyZero) {
  const auto model = trained_model(0.25);
  const ChannelPlan plan = plan_smallest_channels(*model, 0.5);
  apply_masks(group_masks(*model, plan), *model);
  std::map<std::string, const GroupPlan*> writers;
  for (const GroupPlan& planned : plan) {
    for (const auto& [tensor, axis] : planned.group.slices) {
      if (axis == 0) writers[tensor] = &planned;
    }
  }
  for (const inference::Layer& layer : fold_batch_norm(*model).layers) {
    const auto writer = writers.find(layer.name + ".weight");
    if (writer == writers.end()) continue;
    const auto& kept = writer->second->kept;
    const int64_t size = layer.weight.count() / layer.shape.out_channels;
    for (int64_t c = 0; c < layer.shape.out_channels; ++c) {
      const auto row = layer.weight.values().subspan(size_t(c * size), size_t(size));
      const bool zero = layer.bias.data()[c] == 0.0f &&
                        std::all_of(row.begin(), row.end(), [](float w) { return w == 0.0f; });
      EXPECT_EQ(zero, !std::binary_search(kept.begin(), kept.end(), c)) << layer.name << " " << c;
    }
  }
}

TEST(GroupMasks, AreFoundAgainInTheModel) {
  const auto model = trained_model(0.25);
  const Masks masks = group_masks(*model, plan_smallest_channels(*model, 0.5));
  apply_masks(masks, *model);
  const Masks found = masks_of_zeros(*model);
  EXPECT_EQ(found.size(), masks.size());
  for (const auto& [name, mask] : masks) {
    EXPECT_TRUE(testing::identical(mask, found.at(name))) << name;
  }
}

TEST(GroupMasks, HoldThroughTraining) {
  for (const std::string& kind : names_of(optim::kOptimizers)) {
    const auto model = trained_model(0.25);
    apply_masks(group_masks(*model, plan_smallest_channels(*model, 0.5)), *model);
    const Masks masks = masks_of_zeros(*model);
    const auto optimizer = optim::make_optimizer(kind, model->parameters(), 0.01f);
    hold_masks(masks, *optimizer);
    model->train();
    Rng dropout(1);
    const std::vector<int> labels{0, 1, 2, 3, 4, 5, 6, 7};
    for (uint64_t step = 0; step < 3; ++step) {
      optimizer->zero_grad();
      const Variable logits =
          model->forward(Variable(testing::random_tensor({8, 32, 32, 3}, step)), dropout);
      ops::cross_entropy(logits, labels).backward();
      optimizer->step(0.01f);
    }
    const Masks after = masks_of_zeros(*model);
    ASSERT_EQ(after.size(), masks.size()) << kind;
    for (const auto& [name, mask] : masks) {
      EXPECT_TRUE(testing::identical(mask, after.at(name))) << kind << " " << name;
    }
  }
}

}  // namespace
}  // namespace edgeprune
