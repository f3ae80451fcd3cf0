#include "models/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/channel_groups.h"
#include "models/recognise.h"
#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

using nlohmann::json;

class Networks : public ::testing::TestWithParam<std::string> {};

int64_t count_parameters(const Graph& graph) {
  int64_t parameters = 0;
  for (const auto& [name, parameter] : nn::Network(graph).parameters()) {
    parameters += parameter.shape().count();
  }
  return parameters;
}

/// torchvision's, and for those that it lacks the papers' (in millions there).
const std::map<std::string, int64_t> kParameters{
    {"mobilenet_v1", 4231976},       {"mobilenet_v2", 3504872},
    {"mobilenet_v3_large", 5483032}, {"mobilenet_v3_small", 2542856},
    {"efficientnet_lite0", 4652008}, {"resnet18", 11689512},
    {"resnet50", 25557032}};

TEST_P(Networks, HaveThePapersParameters) {
  EXPECT_EQ(count_parameters(build_network({.name = GetParam(), .classes = 1000})),
            kParameters.at(GetParam()));
}

TEST_P(Networks, AreWhatTheyWereAskedFor) {
  const NetworkSpec spec{.name = GetParam(), .width = 0.5, .input_size = 96, .classes = 7};
  const Graph graph = build_network(spec);
  EXPECT_EQ(graph.network, GetParam());
  EXPECT_EQ(graph.width, 0.5);
  EXPECT_EQ(graph.input_size(), 96);
  EXPECT_EQ(graph.classes(), 7);
  EXPECT_EQ(json(build_network(spec_of(graph))), json(graph));
  EXPECT_LT(count_values(graph), count_values(build_network({.name = GetParam(), .classes = 7})));
}

TEST_P(Networks, RunAtTheSmallestSizeAndAreRefusedBelow) {
  EXPECT_NO_THROW(infer_shapes(build_network({.name = GetParam(), .input_size = 32})));
  EXPECT_THAT(testing::message_of<std::invalid_argument>(
                  [&] { build_network({.name = GetParam(), .input_size = 31}); }),
              ::testing::HasSubstr("[" + GetParam() + "] expected an input size from 32 to 4096"));
}

TEST_P(Networks, AreRecognisedByTheirWeights) {
  for (const double width : {0.25, 1.0}) {
    const Graph graph =
        build_network({.name = GetParam(), .width = width, .input_size = 96, .classes = 7});
    EXPECT_EQ(json(recognise(nn::Network(graph).state_dict(), 96)), json(graph));
  }
}

TEST_P(Networks, AreRecognisedWithChannelsRemoved) {
  const Graph graph = build_network({.name = GetParam(), .classes = 7});
  std::vector<int64_t> channels;
  for (const ChannelGroup& group : channel_groups(graph)) {
    channels.push_back(group.channels - 3);
  }
  const Graph pruned = with_channels(graph, channels);
  EXPECT_EQ(json(recognise(nn::Network(pruned).state_dict(), 64)), json(pruned));
}

INSTANTIATE_TEST_SUITE_P(All, Networks, ::testing::ValuesIn(network_names()),
                         [](const auto& network) { return network.param; });

TEST(UnknownNetworks, AreRefusedWithTheChoices) {
  EXPECT_FALSE(is_network("vgg"));
  EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { build_network({.name = "vgg"}); }),
              ::testing::AllOf(::testing::HasSubstr("expected mobilenet_v2"),
                               ::testing::HasSubstr("got 'vgg'")));
}

}  // namespace
}  // namespace edgeprune
