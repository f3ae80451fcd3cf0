#include "models/recognise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/channel_groups.h"
#include "models/mobilenet_v2.h"
#include "models/networks.h"

namespace edgeprune {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::map<std::string, Array> arrays_of(const Graph& graph) {
  return nn::Network(graph).state_dict();
}

TEST(Recognise, FindsEveryUsualWidthFromTheShapes) {
  for (const double width : {0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4, 2.0}) {
    const auto graph = mobilenet_v2(width, 96, 7);
    const Graph found = recognise(arrays_of(graph), 96);
    EXPECT_EQ(json(found)["nodes"], json(graph)["nodes"]) << width;
    EXPECT_EQ(found.network, "mobilenet_v2");
  }
  EXPECT_EQ(recognise(arrays_of(mobilenet_v2(0.35)), 64).width, 0.35);
  EXPECT_EQ(recognise(arrays_of(mobilenet_v2(1.4)), 64).width, 1.4);
}

TEST(Recognise, FindsWhatIsLeftWhereChannelsWereRemoved) {
  Graph graph = mobilenet_v2(1.0, 64, 10);
  std::vector<int64_t> channels;
  for (const ChannelGroup& group : channel_groups(graph)) {
    channels.push_back(group.channels - 3);
  }
  graph = with_channels(graph, channels);
  EXPECT_EQ(json(recognise(arrays_of(graph), 64)), json(graph));
}

/// timm scales neither the head's channels nor some others: the sums still are those of the width.
TEST(Recognise, FindsTheSumsOfAWidthWhereTheHeadIsOfAnother) {
  Graph graph = build_network({.name = "mobilenet_v3_small", .width = 0.5});
  auto* hidden = std::get_if<kind::Linear>(&graph.nodes[*graph.find("classifier.0")].kind);
  ASSERT_NE(hidden, nullptr);
  hidden->out_features = 1024;
  const Graph found = recognise(arrays_of(graph), 64);
  EXPECT_EQ(json(found), json(graph));
  EXPECT_NE(json(graph)["nodes"].size(),
            json(build_network({.name = "mobilenet_v3_small"}))["nodes"].size());
}

TEST(Recognise, WhatIsMissingIsThePapers) {
  EXPECT_EQ(json(recognise({}, 64)), json(mobilenet_v2()));
  auto arrays = arrays_of(mobilenet_v2(1.0, 64, 5));
  arrays.erase("features.3.conv.1.0.weight");
  EXPECT_EQ(json(recognise(arrays, 64)), json(mobilenet_v2(1.0, 64, 5)));
}

TEST(Guess, NamesTheWidthOrTheOtherNetwork) {
  const auto half = arrays_of(mobilenet_v2(0.5));
  EXPECT_EQ(guess(half, mobilenet_v2(1.0)), " (width 0.5? pass --width 0.5)");
  EXPECT_EQ(guess(half, mobilenet_v2(0.5)), "");
  auto headless = half;
  headless.erase("classifier.1.weight");
  EXPECT_THAT(guess(headless, mobilenet_v2(0.5)), HasSubstr("no head?"));
  const auto of = [](const std::string& name) {
    return guess({{name, Array::from(int64_t{1})}}, mobilenet_v2());
  };
  EXPECT_THAT(of("layer1.0.conv1.weight"), HasSubstr("looks like a ResNet"));
  EXPECT_THAT(of("blocks.0.0.conv_dw.weight"), HasSubstr("timm"));
  EXPECT_THAT(of("my\nnet"), HasSubstr("its 1 tensors are named as my?net"));
  EXPECT_THAT(guess({}, mobilenet_v2()), HasSubstr("no tensors"));
}

}  // namespace
}  // namespace edgeprune
