#include "models/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "engine/base/json.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/message_of.h"

namespace edgeprune {
namespace {

TEST(Architecture, WidthOneIsThePapersTable) {
  const Architecture a = Architecture::mobilenet_v2();
  EXPECT_EQ(a.stem, 32);
  EXPECT_EQ(a.last, 1280);
  ASSERT_EQ(a.blocks.size(), 17u);
  std::vector<int64_t> outs, strides;
  int64_t residuals = 0;
  for (const BlockSpec& block : a.blocks) {
    outs.push_back(block.out);
    strides.push_back(block.stride);
    residuals += block.residual ? 1 : 0;
  }
  EXPECT_EQ(outs, (std::vector<int64_t>{16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160,
                                        160, 160, 320}));
  EXPECT_EQ(strides, (std::vector<int64_t>{1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1}));
  EXPECT_EQ(residuals, 10);
  EXPECT_FALSE(a.blocks[0].expand);
  EXPECT_EQ(a.blocks[1].hidden, 6 * 16);
}

TEST(Architecture, WidthsRoundAsTorchvisions) {
  const Architecture quarter = Architecture::mobilenet_v2(0.25);
  EXPECT_EQ(quarter.stem, 8);
  EXPECT_EQ(quarter.last, 1280) << "never narrower";
  EXPECT_EQ(quarter.blocks[0].out, 8);
  EXPECT_TRUE(quarter.blocks[0].residual) << "the stem is as wide as the first block";
  const Architecture wide = Architecture::mobilenet_v2(1.4);
  EXPECT_EQ(wide.stem, 48);  // 44.8
  EXPECT_EQ(wide.last, 1792);
  EXPECT_EQ(wide.blocks.back().out, 448);
  EXPECT_EQ(Architecture::mobilenet_v2(0.35).blocks[1].out, 8);  // 8.4
  EXPECT_EQ(Architecture::mobilenet_v2(0.75).blocks[1].out, 24)
      << "16 would be over 10 % less than 18";
}

TEST(Architecture, OutOfRangeIsRefused) {
  for (const double width : {0.0, -1.0, 1e9, std::nan("")}) {
    EXPECT_THROW(Architecture::mobilenet_v2(width), std::invalid_argument) << width;
  }
  for (const int64_t size : {0, 31, 5000}) {
    EXPECT_THROW(Architecture::mobilenet_v2(1.0, size), std::invalid_argument) << size;
  }
  for (const int64_t classes : {-1, 0, 1}) {
    EXPECT_THROW(Architecture::mobilenet_v2(1.0, 64, classes), std::invalid_argument) << classes;
  }
}

TEST(Architecture, UnrollsToTorchvisionsConvolutions) {
  const auto convs = unroll(Architecture::mobilenet_v2());
  ASSERT_EQ(convs.size(), 52u);
  EXPECT_EQ(convs[0].conv, "features.0.0");
  EXPECT_EQ(convs[0].norm, "features.0.1");
  EXPECT_EQ(convs[1].conv, "features.1.conv.0.0");  // no expansion: depthwise first
  EXPECT_EQ(convs[2].conv, "features.1.conv.1");
  EXPECT_EQ(convs[2].norm, "features.1.conv.2");
  EXPECT_EQ(convs[3].conv, "features.2.conv.0.0");
  EXPECT_EQ(convs[4].conv, "features.2.conv.1.0");
  EXPECT_EQ(convs[5].conv, "features.2.conv.2");
  EXPECT_EQ(convs[5].norm, "features.2.conv.3");
  EXPECT_EQ(convs.back().conv, "features.18.0");
  EXPECT_EQ(convs.back().norm, "features.18.1");
}

TEST(Architecture, EachConvolutionFitsTheOneBefore) {
  for (const int64_t size : {32, 64, 75, 224}) {
    const auto convs = unroll(Architecture::mobilenet_v2(0.5, size));
    EXPECT_EQ(convs[0].shape.in_height, size);
    int64_t block_channels = 0, block_size = 0;
    for (size_t i = 1; i < convs.size(); ++i) {
      const Conv2dShape &before = convs[i - 1].shape, &shape = convs[i].shape;
      EXPECT_EQ(shape.in_channels, before.out_channels) << convs[i].conv;
      EXPECT_EQ(shape.in_height, before.out_height()) << convs[i].conv;
      if (convs[i].opens_block) block_channels = shape.in_channels, block_size = shape.in_height;
      if (convs[i].adds_residual) {
        EXPECT_EQ(shape.out_channels, block_channels) << convs[i].conv;
        EXPECT_EQ(shape.out_height(), block_size) << convs[i].conv;
      }
    }
  }
}

TEST(Architecture, MultiplyAddsAreThoseOfTheProtocol) {
  int64_t total = 1280 * 10;
  for (const ConvSpec& conv : unroll(Architecture::mobilenet_v2()))
    total += conv.shape.multiply_adds();
  EXPECT_NEAR(double(total), 24.5e6, 0.1e6);
}

TEST(Architecture, TheKernelTestsCoverItsShapes) {
  const auto covered = testing::mobilenet_v2_shapes();
  std::set<Conv2dShape> expected(covered.begin(), covered.end());
  EXPECT_EQ(expected.size(), covered.size()) << "listed twice";
  std::set<Conv2dShape> own{testing::pointwise_shape(1, 1280, 10)};
  for (const ConvSpec& conv : unroll(Architecture::mobilenet_v2())) own.insert(conv.shape);
  EXPECT_EQ(own, expected);
}

TEST(Architecture, SurvivesJson) {
  Architecture a = Architecture::mobilenet_v2(0.75, 96, 7);
  a.blocks[3].hidden = 11;  // as after channel removal
  const auto b = nlohmann::json::parse(nlohmann::json(a).dump()).get<Architecture>();
  EXPECT_EQ(nlohmann::json(a), nlohmann::json(b));
  EXPECT_EQ(b.blocks[3].hidden, 11);
  EXPECT_EQ(b.input_size, 96);
}

TEST(Architecture, MoreBlocksThanAnyNetworkHasAreRefused) {
  nlohmann::json many = Architecture::mobilenet_v2();
  const nlohmann::json block = many["blocks"][2];  // 24 -> 144 -> 24, the input is added
  many["blocks"] = std::vector<nlohmann::json>(999, block);
  many["blocks"].insert(
      many["blocks"].begin(),
      nlohmann::json::parse(
          R"({"hidden": 32, "out": 24, "stride": 1, "expand": false, "residual": false})"));
  EXPECT_EQ(many.get<Architecture>().blocks.size(), 1000u);
  many["blocks"].push_back(block);
  EXPECT_THAT(testing::message_of<std::invalid_argument>([&] { many.get<Architecture>(); }),
              ::testing::HasSubstr("1001 blocks, at most 1000 expected"));
}

TEST(Architecture, DamagedJsonIsRefused) {
  const nlohmann::json good = Architecture::mobilenet_v2();
  const auto refused = [&](const std::string& pointer, const nlohmann::json& value) {
    nlohmann::json damaged = good;
    damaged[nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_THROW(damaged.get<Architecture>(), std::exception) << pointer << " = " << value;
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
    EXPECT_THROW(damaged.get<Architecture>(), std::exception) << key;
  }
}

}  // namespace
}  // namespace edgeprune
