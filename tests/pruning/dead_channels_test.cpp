#include "pruning/dead_channels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "pruning/compact.h"
#include "tests/support/trained_model.h"

namespace edgeprune {
namespace {

using testing::trained_model;

const GroupPlan& find(const ChannelPlan& plan, std::string_view name) {
  for (const GroupPlan& planned : plan) {
    if (planned.group.name == name) return planned;
  }
  throw std::runtime_error("no group " + std::string(name));
}

/// A convolution and the batch norm behind it.
struct Unit {
  nn::Conv2d& conv;
  nn::BatchNorm2d& norm;
};

Unit unit_of(const nn::Network& model, const std::string& conv) {
  for (size_t i = 0; i < model.convolutions().size(); ++i) {
    if (model.convolutions()[i]->name == conv) return {*model.convolutions()[i], *model.norms()[i]};
  }
  throw std::runtime_error("no layer " + conv);
}

void zero_filter(const Unit& unit, int64_t channel) {
  Tensor& weight = unit.conv.weight.value();
  const int64_t size = weight.count() / weight.dim(0);
  std::fill_n(weight.data() + channel * size, size, 0.0f);
}

void set_norm(const Unit& unit, int64_t channel, float weight, float bias, float mean = 0) {
  unit.norm.weight.value().data()[channel] = weight;
  unit.norm.bias.value().data()[channel] = bias;
  unit.norm.state.running_mean.data()[channel] = mean;
}

std::vector<int64_t> removed(const GroupPlan& planned) {
  std::vector<int64_t> channels;
  for (int64_t c = 0; c < planned.group.channels; ++c) {
    if (!std::binary_search(planned.kept.begin(), planned.kept.end(), c)) channels.push_back(c);
  }
  return channels;
}

using Channels = std::vector<int64_t>;

/// Whatever the plan removes, the logits must not notice.
void expect_same_logits(nn::Network& model, const ChannelPlan& plan) {
  const auto smaller = compact(model, plan);
  const Tensor images = testing::random_tensor({8, 32, 32, 3}, 9);
  EXPECT_LE(testing::max_abs_error(testing::logits_of(*smaller, images),
                                   testing::logits_of(model, images)),
            1e-4);
}

TEST(DeadChannels, AModelThatWasNotPrunedHasNone) {
  const ChannelPlan plan = plan_dead_channels(*trained_model(0.25));
  EXPECT_EQ(removed_channels(plan), 0);
  for (const GroupPlan& planned : plan) EXPECT_EQ(planned.note, "") << planned.group.name;
}

TEST(DeadChannels, AreThoseThatGroupMasksRemoved) {
  for (const double width : {0.25, 1.0}) {
    const auto model = trained_model(width);
    const ChannelPlan pruned = plan_smallest_channels(*model, 0.4);
    apply_masks(group_masks(*model, pruned), *model);
    const ChannelPlan found = plan_dead_channels(*model);
    ASSERT_EQ(found.size(), pruned.size());
    for (size_t g = 0; g < found.size(); ++g) {
      EXPECT_EQ(found[g].kept, pruned[g].kept) << found[g].group.name;
      EXPECT_EQ(found[g].note, "");
    }
    expect_same_logits(*model, found);
  }
}

TEST(DeadChannels, RunningStatisticsOfAMaskedChannelDoNotMatter) {
  const auto model = trained_model(0.25);
  const ChannelPlan pruned = plan_smallest_channels(*model, 0.4);
  apply_masks(group_masks(*model, pruned), *model);
  for (const auto& norm : model->norms()) {
    norm->state.running_mean.fill(3.0f);
    norm->state.running_var.fill(0.0f);
  }
  EXPECT_EQ(removed_channels(plan_dead_channels(*model)), removed_channels(pruned));
}

TEST(DeadChannels, APositiveBiasLetsAConstantThroughThatCannotGo) {
  const auto model = trained_model(0.25);
  const Unit depthwise = unit_of(*model, "features.3.conv.1.0");
  for (const int64_t channel : {2, 5, 7}) zero_filter(depthwise, channel);
  set_norm(depthwise, 2, 1.0f, 0.25f);
  set_norm(depthwise, 5, 1.0f, -0.25f);         // ReLU6 makes zero of it
  set_norm(depthwise, 7, 1.0f, -0.25f, -9.0f);  // not in evaluation, by the running mean
  const ChannelPlan plan = plan_dead_channels(*model);
  const GroupPlan& planned = find(plan, "features.3 expansion");
  EXPECT_EQ(removed(planned), Channels{5});
  EXPECT_EQ(planned.note, "2 cannot go: filters are zero, batch norm's bias is not");
  EXPECT_EQ(removed_channels(plan), 1);
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, AnExpandedConstantIsFollowedThroughTheDepthwiseConvolution) {
  const auto model = trained_model(0.25);
  const Unit expand = unit_of(*model, "features.3.conv.0.0"),
             depthwise = unit_of(*model, "features.3.conv.1.0");
  for (const int64_t channel : {1, 4}) {
    zero_filter(expand, channel);
    set_norm(depthwise, channel, 1.0f, -0.5f);
  }
  set_norm(expand, 1, 1.0f, 0.5f);   // the depthwise filter makes something of it
  set_norm(expand, 4, 1.0f, -0.5f);  // zero, and zero again behind the depthwise filter
  const ChannelPlan plan = plan_dead_channels(*model);
  EXPECT_EQ(removed(find(plan, "features.3 expansion")), Channels{4});
  EXPECT_EQ(find(plan, "features.3 expansion").note,
            "1 cannot go: filters are zero, batch norm's bias is not");
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, WhatNobodyReadsGoes) {
  const auto model = trained_model(0.25);
  Tensor& project = unit_of(*model, "features.3.conv.2").conv.weight.value();
  for (int64_t o = 0; o < project.dim(0); ++o) project.data()[o * project.dim(1) + 6] = 0.0f;
  Tensor& head = model->head().weight.value();
  for (int64_t o = 0; o < head.dim(0); ++o) head.data()[o * head.dim(1) + 1000] = 0.0f;
  const ChannelPlan plan = plan_dead_channels(*model);
  EXPECT_EQ(removed(find(plan, "features.3 expansion")), Channels{6});
  EXPECT_EQ(removed(find(plan, "features.18 stream")), Channels{1000});
  EXPECT_EQ(removed_channels(plan), 2);
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, AStreamsChannelGoesOnlyIfAllThatWriteItAreSilent) {
  const auto model = trained_model(1.0);
  const std::vector<std::string> writers{"features.4.conv.2", "features.5.conv.2",
                                         "features.6.conv.2"};
  for (const std::string& conv : writers) {
    zero_filter(unit_of(*model, conv), 3);
    set_norm(unit_of(*model, conv), 3, 0.0f, 0.0f);
  }
  zero_filter(unit_of(*model, writers[0]), 8);  // the blocks behind it still add to 8
  set_norm(unit_of(*model, writers[0]), 8, 0.0f, 0.0f);
  for (const std::string& conv : writers) {  // without ReLU6 a negative constant counts, too
    zero_filter(unit_of(*model, conv), 20);
    set_norm(unit_of(*model, conv), 20, 0.0f, -0.125f);
  }
  const ChannelPlan plan = plan_dead_channels(*model);
  const GroupPlan& planned = find(plan, "features.4-6 stream");
  EXPECT_EQ(removed(planned), Channels{3});
  EXPECT_EQ(planned.note,
            "1 cannot go: filters are zero, batch norm's bias is not; "
            "1 cannot go: zero in some of the layers that share them, not in all");
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, AGroupsLastChannelStays) {
  const auto model = trained_model(0.25);
  Masks masks;
  const ChannelGroup group = channel_groups(model->graph())[1];
  for (const auto& [tensor, axis] : group.slices) {
    for (const auto& [name, variable] : model->parameters()) {
      if (name == tensor) masks[name] = Tensor(variable.shape(), 0.0f);
    }
  }
  apply_masks(masks, *model);
  const ChannelPlan plan = plan_dead_channels(*model);
  const GroupPlan& planned = find(plan, "features.2 expansion");
  EXPECT_EQ(planned.kept, Channels{0});
  EXPECT_EQ(planned.note, "a group's last channel cannot go");
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, ChannelsPrunedPerLayerAreExplained) {
  const auto model = trained_model(0.25);
  apply_masks(make_masks(*model, Method::channel, 0.5), *model);
  const ChannelPlan plan = plan_dead_channels(*model);
  for (const GroupPlan& planned : plan) {
    EXPECT_NE(planned.note.find("cannot go"), std::string::npos) << planned.group.name;
  }
  expect_same_logits(*model, plan);
}

TEST(DeadChannels, AModelThatIsNotFiniteIsRejected) {
  for (const float bad : {std::nanf(""), INFINITY}) {
    const auto model = trained_model(0.25);
    unit_of(*model, "features.3.conv.1.0").norm.state.running_var.data()[1] = bad;
    try {
      plan_dead_channels(*model);
      ADD_FAILURE() << "accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("features.3.conv.1.1.running_var"),
                std::string::npos);
    }
  }
}

}  // namespace
}  // namespace edgeprune
