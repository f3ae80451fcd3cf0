#include "models/library_names.h"

#include <gtest/gtest.h>

#include "models/networks.h"

namespace edgeprune {
namespace {

std::map<std::string, Array> named_so(const std::map<std::string, std::string>& modules) {
  std::map<std::string, Array> arrays;
  for (const auto& [theirs, ours] : modules) arrays[theirs + ".weight"] = Array::from(Tensor({1}));
  return arrays;
}

/// As create_model(NAME).state_dict() has them, in timm 1.0.
TEST(LibraryNames, AreTimms) {
  const auto second = names_in(Library::timm, "mobilenet_v2");
  EXPECT_EQ(second.size(), 105u);  // 52 convolutions with their batch norms, the classifier
  EXPECT_EQ(second.at("conv_stem"), "features.0.0");
  EXPECT_EQ(second.at("bn1"), "features.0.1");
  EXPECT_EQ(second.at("blocks.0.0.conv_dw"), "features.1.conv.0.0");
  EXPECT_EQ(second.at("blocks.0.0.conv_pw"), "features.1.conv.1");
  EXPECT_EQ(second.at("blocks.0.0.bn2"), "features.1.conv.2");
  EXPECT_EQ(second.at("blocks.3.3.conv_dw"), "features.10.conv.1.0");
  EXPECT_EQ(second.at("blocks.6.0.bn3"), "features.17.conv.3");
  EXPECT_EQ(second.at("conv_head"), "features.18.0");
  EXPECT_EQ(second.at("bn2"), "features.18.1");
  EXPECT_EQ(second.at("classifier"), "classifier.1");
  const auto third = names_in(Library::timm, "mobilenet_v3_large");
  EXPECT_EQ(third.at("blocks.2.0.se.conv_reduce"), "features.4.block.2.fc1");
  EXPECT_EQ(third.at("blocks.2.0.se.conv_expand"), "features.4.block.2.fc2");
  EXPECT_EQ(third.at("blocks.2.0.conv_pwl"), "features.4.block.3.0");
  EXPECT_EQ(third.at("blocks.6.0.conv"), "features.16.0");
  EXPECT_EQ(third.at("blocks.6.0.bn1"), "features.16.1");
  EXPECT_EQ(third.at("conv_head"), "classifier.0");
  EXPECT_EQ(third.at("classifier"), "classifier.3");
  EXPECT_EQ(names_in(Library::timm, "mobilenet_v1").at("blocks.3.5.conv_pw"), "features.11.1.0");
  EXPECT_TRUE(names_in(Library::timm, "resnet18").empty());
}

TEST(LibraryNames, AreThoseOfTransformers) {
  const auto second = names_in(Library::hugging_face, "mobilenet_v2");
  EXPECT_EQ(second.size(), 105u);
  EXPECT_EQ(second.at("conv_stem.first_conv.convolution"), "features.0.0");
  EXPECT_EQ(second.at("conv_stem.reduce_1x1.normalization"), "features.1.conv.2");
  EXPECT_EQ(second.at("layer.0.expand_1x1.convolution"), "features.2.conv.0.0");
  EXPECT_EQ(second.at("layer.15.conv_3x3.normalization"), "features.17.conv.1.1");
  EXPECT_EQ(second.at("conv_1x1.convolution"), "features.18.0");
  const auto first = names_in(Library::hugging_face, "mobilenet_v1");
  EXPECT_EQ(first.at("layer.25.convolution"), "features.13.1.0");
  const auto resnet = names_in(Library::hugging_face, "resnet50");
  EXPECT_EQ(resnet.at("embedder.embedder.normalization"), "bn1");
  EXPECT_EQ(resnet.at("encoder.stages.3.layers.0.shortcut.convolution"), "layer4.0.downsample.0");
  EXPECT_EQ(resnet.at("encoder.stages.3.layers.2.layer.2.normalization"), "layer4.2.bn3");
  EXPECT_EQ(resnet.at("classifier.1"), "fc");
}

TEST(LibraryNames, TellEveryNetworkFromTheOthers) {
  for (const std::string& network : network_names()) {
    for (const Library library : values_in(kLibraries)) {
      auto arrays = named_so(names_in(library, network));
      if (arrays.empty()) continue;
      arrays.erase("classifier.weight");  // without its head, too
      const auto found = find_library(arrays);
      ASSERT_TRUE(found.has_value()) << network;
      EXPECT_EQ(found->network, network);
      EXPECT_EQ(found->library, library);
    }
  }
  EXPECT_FALSE(find_library({}).has_value());
  EXPECT_FALSE(find_library(named_so({{"conv_stem", ""}, {"blocks.0.0.conv_dw", ""}})).has_value());
}

TEST(LibraryNames, ArraysGetOursAndLinearLayersTheirShape) {
  const NamedNetwork network{Library::timm, "mobilenet_v3_small",
                             names_in(Library::timm, "mobilenet_v3_small")};
  const auto ours = renamed({{"conv_head.weight", Array::from(Tensor({8, 4, 1, 1}))},
                             {"bn1.running_var", Array::from(Tensor({8}))},
                             {"blocks.0.0.conv_pw.weight", Array::from(Tensor({8, 4, 1, 1}))},
                             {"mine.weight", Array::from(Tensor({2}))},
                             {"step", Array::from(int64_t{1})}},
                            network);
  EXPECT_EQ(ours.at("classifier.0.weight").shape, (Shape{8, 4}));
  EXPECT_EQ(ours.at("features.1.block.2.0.weight").shape, (Shape{8, 4, 1, 1}));
  EXPECT_TRUE(ours.contains("features.0.1.running_var"));
  EXPECT_TRUE(ours.contains("mine.weight"));
  EXPECT_TRUE(ours.contains("step"));
}

}  // namespace
}  // namespace edgeprune
