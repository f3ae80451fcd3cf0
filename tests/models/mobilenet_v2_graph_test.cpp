#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <stdexcept>

#include "engine/base/json.h"
#include "models/mobilenet_v2.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/message_of.h"
#include "tests/support/old_architecture.h"

namespace edgeprune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::old_architecture;

/// A convolution (or the head) under its name.
struct Layer {
  std::string name;
  Conv2dShape shape;
};

std::vector<Layer> layers_of(const Graph& graph) {
  const std::vector<MapShape> shapes = infer_shapes(graph);
  std::vector<Layer> layers;
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto shape = conv2d_shape(node.kind, shapes[node.inputs[0]]);
    if (shape) layers.push_back({node.name, *shape});
  }
  return layers;
}

int64_t outputs(const Graph& graph, const std::string& name) {
  return infer_shapes(graph)[graph.find(name).value()].channels;
}

int64_t count_sums(const Graph& graph) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return std::holds_alternative<kind::Add>(node.kind);
  });
}

TEST(MobileNetV2Graph, WidthOneIsThePapersTable) {
  const Graph graph = mobilenet_v2();
  EXPECT_EQ(graph.network, "mobilenet_v2");
  // The images; 52 convolutions, a batch norm behind each, 35 ReLU6; 10 sums; pool, dropout, head.
  EXPECT_EQ(graph.nodes.size(), 1u + 52 + 52 + 35 + 10 + 3);
  EXPECT_EQ(outputs(graph, "features.0.0"), 32);
  EXPECT_EQ(outputs(graph, "features.18.0"), 1280);
  EXPECT_EQ(outputs(graph, "features.2.conv.0.0"), 6 * 16);
  EXPECT_EQ(count_sums(graph), 10);
  std::vector<int64_t> outs, strides;
  for (const auto& [name, shape] : layers_of(graph)) {
    if (shape.depthwise()) strides.push_back(shape.stride);
    if (name.ends_with("conv.2") || name == "features.1.conv.1") outs.push_back(shape.out_channels);
  }
  EXPECT_THAT(outs,
              ElementsAre(16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320));
  EXPECT_THAT(strides, ElementsAre(1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1));
}

TEST(MobileNetV2Graph, WidthsRoundAsTorchvisions) {
  const Graph quarter = mobilenet_v2(0.25);
  EXPECT_EQ(quarter.width, 0.25);
  EXPECT_EQ(outputs(quarter, "features.0.0"), 8);
  EXPECT_EQ(outputs(quarter, "features.18.0"), 1280) << "never narrower";
  EXPECT_EQ(outputs(quarter, "features.1.conv.1"), 8);
  EXPECT_TRUE(quarter.find("features.1")) << "a sum: the stem is as wide as the first block";
  EXPECT_FALSE(mobilenet_v2().find("features.1"));
  const Graph wide = mobilenet_v2(1.4);
  EXPECT_EQ(outputs(wide, "features.0.0"), 48);  // 44.8
  EXPECT_EQ(outputs(wide, "features.18.0"), 1792);
  EXPECT_EQ(outputs(wide, "features.17.conv.2"), 448);
  EXPECT_EQ(outputs(mobilenet_v2(0.35), "features.2.conv.2"), 8);  // 8.4
  EXPECT_EQ(outputs(mobilenet_v2(0.75), "features.2.conv.2"), 24)  // 18
      << "16 would be over 10 % less";
}

TEST(MobileNetV2Graph, OutOfRangeIsRefused) {
  for (const double width : {0.0, -1.0, 1e9, std::nan("")}) {
    EXPECT_THROW(mobilenet_v2(width), std::invalid_argument) << width;
  }
  for (const int64_t size : {0, 31, 5000}) {
    EXPECT_THROW(mobilenet_v2(1.0, size), std::invalid_argument) << size;
  }
  for (const int64_t classes : {-1, 0, 1}) {
    EXPECT_THROW(mobilenet_v2(1.0, 64, classes), std::invalid_argument) << classes;
  }
}

TEST(MobileNetV2Graph, HasTorchvisionsNames) {
  const Graph graph = mobilenet_v2();
  const auto layers = layers_of(graph);
  ASSERT_EQ(layers.size(), 53u);
  EXPECT_EQ(layers[0].name, "features.0.0");
  EXPECT_EQ(layers[1].name, "features.1.conv.0.0");  // no expansion: depthwise first
  EXPECT_EQ(layers[2].name, "features.1.conv.1");
  EXPECT_EQ(layers[3].name, "features.2.conv.0.0");
  EXPECT_EQ(layers[4].name, "features.2.conv.1.0");
  EXPECT_EQ(layers[5].name, "features.2.conv.2");
  EXPECT_EQ(layers[51].name, "features.18.0");
  EXPECT_EQ(layers[52].name, "classifier.1");
  for (const char* norm :
       {"features.0.1", "features.1.conv.2", "features.2.conv.3", "features.18.1"}) {
    const auto node = graph.find(norm);
    ASSERT_TRUE(node) << norm;
    EXPECT_TRUE(std::holds_alternative<kind::BatchNorm>(graph.nodes[*node].kind)) << norm;
  }
}

TEST(MobileNetV2Graph, MultiplyAddsAreThoseOfTheProtocol) {
  int64_t total = 0;
  for (const auto& [name, shape] : layers_of(mobilenet_v2())) total += shape.multiply_adds();
  EXPECT_NEAR(double(total), 24.5e6, 0.1e6);
}

TEST(MobileNetV2Graph, TheKernelTestsCoverItsShapes) {
  const auto covered = testing::mobilenet_v2_shapes();
  std::set<Conv2dShape> expected(covered.begin(), covered.end());
  EXPECT_EQ(expected.size(), covered.size()) << "listed twice";
  std::set<Conv2dShape> own;
  for (const auto& [name, shape] : layers_of(mobilenet_v2())) own.insert(shape);
  EXPECT_EQ(own, expected);
}

TEST(OldArchitecture, IsTheSameGraph) {
  EXPECT_EQ(nlohmann::json(mobilenet_v2_of(old_architecture())),
            nlohmann::json(mobilenet_v2(0.25, 32, 10)));
}

TEST(OldArchitecture, KeepsChannelsThatWereRemoved) {
  auto old = old_architecture();
  old["blocks"][3]["hidden"] = 11;
  old["last"] = 500;
  const Graph graph = mobilenet_v2_of(old);
  EXPECT_EQ(outputs(graph, "features.4.conv.0.0"), 11);
  EXPECT_EQ(outputs(graph, "features.4.conv.1.0"), 11);
  EXPECT_EQ(outputs(graph, "features.18.0"), 500);
  EXPECT_EQ(graph.width, 0.25);
}

TEST(OldArchitecture, MoreBlocksThanAnyNetworkHasAreRefused) {
  auto many = old_architecture();
  const nlohmann::json block = many["blocks"][2];  // 8 -> 48 -> 8, the input is added
  many["blocks"] = std::vector<nlohmann::json>(1000, block);
  EXPECT_EQ(count_sums(mobilenet_v2_of(many)), 1000);
  many["blocks"].push_back(block);
  EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { mobilenet_v2_of(many); }),
              HasSubstr("1001 blocks, at most 1000 expected"));
}

TEST(OldArchitecture, DamagedIsRefused) {
  const nlohmann::json good = old_architecture();
  const auto refused = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json damaged = good;
    damaged[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_THROW(mobilenet_v2_of(damaged), std::exception) << pointer << " = " << value;
  };
  refused("/name", "resnet");
  refused("/width", 0);
  refused("/width", "wide");
  refused("/input_size", 1);
  refused("/classes", 1);
  refused("/stem", 0);
  refused("/last", -5);
  refused("/last", int64_t{1} << 40);
  refused("/blocks", nlohmann::json::array());
  refused("/blocks/0", nlohmann::json::object());
  refused("/blocks/2/stride", 3);
  refused("/blocks/2/hidden", int64_t{1} << 40);
  refused("/blocks/2/out", 0);
  refused("/blocks/1/residual", true);  // stride 2
  refused("/blocks/0/hidden", 48);      // no expansion: must be the stem's
  for (const char* key : {"name", "width", "input_size", "classes", "stem", "last", "blocks"}) {
    nlohmann::json damaged = good;
    damaged.erase(key);
    EXPECT_THROW(mobilenet_v2_of(damaged), std::exception) << key;
  }
}

}  // namespace
}  // namespace edgeprune
