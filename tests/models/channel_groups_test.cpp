#include "models/channel_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "tests/support/old_architecture.h"

namespace edgeprune {
namespace {

const ChannelGroup& find(const std::vector<ChannelGroup>& groups, std::string_view name) {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.name == name; });
  if (found == groups.end()) throw std::runtime_error("no group " + std::string(name));
  return *found;
}

std::vector<std::string> slices_of(const ChannelGroup& group) {
  std::vector<std::string> slices;
  for (const auto& [tensor, axis] : group.slices) {
    if (tensor.find("running_") == std::string::npos && tensor.find(".bias") == std::string::npos) {
      slices.push_back(tensor.substr(0, tensor.size() - 7) + (axis == 0 ? "" : " reads"));
    }
  }
  return slices;
}

using Strings = std::vector<std::string>;

TEST(ChannelGroups, OfTheOriginalStudysNetwork) {
  const auto groups = channel_groups(mobilenet_v2());
  std::map<std::string, int64_t> channels;
  for (const ChannelGroup& group : groups) channels[group.name] = group.channels;
  EXPECT_EQ(groups.size(), channels.size()) << "a name twice";
  const std::map<std::string, int64_t> streams{
      {"features.0 stream", 32},      {"features.1 stream", 16},    {"features.2-3 stream", 24},
      {"features.4-6 stream", 32},    {"features.7-10 stream", 64}, {"features.11-13 stream", 96},
      {"features.14-16 stream", 160}, {"features.17 stream", 320},  {"features.18 stream", 1280}};
  for (const auto& [name, count] : streams) EXPECT_EQ(channels[name], count) << name;
  EXPECT_EQ(groups.size(), streams.size() + 16);
  EXPECT_EQ(channels["features.2 expansion"], 96);
  EXPECT_EQ(channels["features.17 expansion"], 960);
}

TEST(ChannelGroups, AnExpansionIsExpandDepthwiseAndTheProjectionsInput) {
  const auto groups = channel_groups(mobilenet_v2());
  const ChannelGroup& group = find(groups, "features.5 expansion");
  EXPECT_EQ(slices_of(group),
            (Strings{"features.5.conv.0.0", "features.5.conv.0.1", "features.5.conv.1.0",
                     "features.5.conv.1.1", "features.5.conv.2 reads"}));
  EXPECT_EQ(group.slices.size(), 11u) << "with bias, running_mean, running_var of two batch norms";
}

TEST(ChannelGroups, AStreamIsEveryBlockThatAddsToItAndAllThatReadIt) {
  const auto groups = channel_groups(mobilenet_v2());
  EXPECT_EQ(slices_of(find(groups, "features.2-3 stream")),
            (Strings{"features.2.conv.2", "features.2.conv.3", "features.3.conv.0.0 reads",
                     "features.3.conv.2", "features.3.conv.3", "features.4.conv.0.0 reads"}));
  EXPECT_EQ(slices_of(find(groups, "features.18 stream")),
            (Strings{"features.18.0", "features.18.1", "classifier.1 reads"}));
}

TEST(ChannelGroups, ABlockWithoutExpansionHasItsDepthwiseFiltersInTheStreamItReads) {
  const Strings stem{"features.0.0", "features.0.1", "features.1.conv.0.0", "features.1.conv.0.1",
                     "features.1.conv.1 reads"};
  EXPECT_EQ(slices_of(find(channel_groups(mobilenet_v2()), "features.0 stream")), stem);
  // At width 0.25 that block adds its input: one stream.
  Strings residual = stem;
  residual.insert(residual.end(),
                  {"features.1.conv.1", "features.1.conv.2", "features.2.conv.0.0 reads"});
  EXPECT_EQ(slices_of(find(channel_groups(mobilenet_v2(0.25, 32)), "features.0-1 stream")),
            residual);
}

TEST(ChannelGroups, CoverEveryAxisOfEveryTensorOnceAndFitIt) {
  for (const double width : {0.25, 0.35, 1.0, 1.4}) {
    const nn::Network model(mobilenet_v2(width, 32, 10), 0);
    const auto arrays = model.state_dict();
    std::set<std::pair<std::string, size_t>> seen;
    for (const ChannelGroup& group : channel_groups(model.graph())) {
      for (const auto& [tensor, axis] : group.slices) {
        ASSERT_TRUE(arrays.contains(tensor)) << tensor;
        EXPECT_EQ(arrays.at(tensor).shape[axis], group.channels) << tensor << " " << group.name;
        EXPECT_TRUE(seen.emplace(tensor, axis).second) << tensor << " twice";
      }
    }
    // Left over: the image's colours, the depthwise filters' only input, the classes.
    for (const auto& [name, array] : arrays) {
      if (array.shape.rank() == 0 || name == "classifier.1.bias") continue;
      EXPECT_EQ(seen.contains({name, 0}), name != "classifier.1.weight") << name;
      const bool reads =
          array.shape.rank() > 1 && name != "features.0.0.weight" && array.shape[1] > 1;
      EXPECT_EQ(seen.contains({name, 1}), reads) << name;
    }
  }
}

TEST(ChannelGroups, AreTheSameWithOneChannelEverywhere) {
  for (const double width : {0.25, 1.0}) {
    const Graph wide = mobilenet_v2(width, 32, 10);
    const auto groups = channel_groups(wide);
    const Graph narrow = with_channels(wide, std::vector<int64_t>(groups.size(), int64_t{1}));
    const auto narrow_groups = channel_groups(narrow);
    ASSERT_EQ(narrow_groups.size(), groups.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      EXPECT_EQ(narrow_groups[i].name, groups[i].name);
      EXPECT_EQ(narrow_groups[i].channels, 1);
      EXPECT_EQ(slices_of(narrow_groups[i]), slices_of(groups[i]));
    }
  }
}

TEST(WithChannels, SetsEveryGroupsCount) {
  for (const double width : {0.25, 1.0}) {
    const Graph before = mobilenet_v2(width, 32, 10);
    std::vector<int64_t> counts;
    for (const ChannelGroup& group : channel_groups(before)) {
      counts.push_back(std::max<int64_t>(1, group.channels - 3 - int64_t(counts.size()) % 5));
    }
    const auto groups = channel_groups(with_channels(before, counts));
    ASSERT_EQ(groups.size(), counts.size());
    for (size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(groups[i].channels, counts[i]);
  }
}

TEST(WithChannels, BadCountsAreRejected) {
  const Graph graph = mobilenet_v2();
  std::vector<int64_t> counts(channel_groups(graph).size(), int64_t{8});
  counts[3] = 0;
  EXPECT_THROW(with_channels(graph, counts), std::invalid_argument);
  counts[3] = 8;
  counts.push_back(8);
  EXPECT_THROW(with_channels(graph, counts), std::invalid_argument);
  EXPECT_THROW(with_channels(graph, {}), std::invalid_argument);
}

TEST(Unpruned, IsTheNetworkBeforeChannelsWent) {
  const Graph whole = mobilenet_v2(0.5, 64, 7);
  std::vector<int64_t> channels;
  for (const ChannelGroup& group : channel_groups(whole)) channels.push_back(group.channels / 2);
  const Graph part = with_channels(whole, channels);
  ASSERT_NE(nlohmann::json(part), nlohmann::json(whole));
  EXPECT_EQ(nlohmann::json(unpruned(part)), nlohmann::json(whole));
  EXPECT_EQ(nlohmann::json(unpruned(whole)), nlohmann::json(whole));
}

TEST(Unpruned, AnotherNetworkIsTakenAsItIs) {
  Graph wider = mobilenet_v2(0.5, 64, 7);
  auto& last = std::get<kind::Convolution>(wider.nodes[wider.find("features.18.0").value()].kind);
  last.out_channels += 8;
  EXPECT_EQ(nlohmann::json(unpruned(wider)), nlohmann::json(wider));
  auto table = testing::old_architecture();
  table["blocks"].erase(16);
  const Graph shorter = mobilenet_v2_of(table);
  EXPECT_EQ(nlohmann::json(unpruned(shorter)), nlohmann::json(shorter));
}

}  // namespace
}  // namespace edgeprune
