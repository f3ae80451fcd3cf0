#include "models/library_variant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "models/networks.h"
#include "tests/support/message_of.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

/// One channel of a map of side `size`, filtered by a plain loop, with so many zeros in front of it and
/// behind it.
std::vector<float> filtered(const std::vector<float>& map, int64_t size,
                            const std::vector<float>& filter, int64_t kernel, int64_t stride,
                            int64_t before, int64_t after) {
  const int64_t outputs = (size + before + after - kernel) / stride + 1;
  std::vector<float> result;
  for (int64_t i = 0; i < outputs * outputs; ++i) {
    float sum = 0;
    for (int64_t k = 0; k < kernel * kernel; ++k) {
      const int64_t y = i / outputs * stride - before + k / kernel;
      const int64_t x = i % outputs * stride - before + k % kernel;
      if (y < 0 || x < 0 || y >= size || x >= size) continue;
      sum += map[static_cast<size_t>(y * size + x)] * filter[static_cast<size_t>(k)];
    }
    result.push_back(sum);
  }
  return result;
}

Graph one_layer(int64_t size, int64_t kernel, int64_t stride) {
  Graph graph{.network = "", .width = 1, .nodes = {}};
  size_t last = graph.append("images", kind::Input{1, size, size}, {});
  last = graph.append("conv", kind::Convolution{1, kernel, stride, kernel / 2}, {last});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  graph.append("head", kind::Linear{2}, {last});
  return graph;
}

TEST(LibraryVariant, PaddingSameIsAKernelOneLargerWithZerosInFront) {
  for (const auto& [size, kernel] :
       std::vector<std::pair<int64_t, int64_t>>{{6, 3}, {6, 5}, {8, 5}, {7, 3}, {7, 5}, {2, 3}}) {
    Graph graph = one_layer(size, kernel, 2);
    const Tensor map = testing::random_tensor({size * size}, 1);
    const Tensor filter = testing::random_tensor({1, 1, kernel, kernel}, 2);
    std::map<std::string, Array> arrays = {{"conv.weight", Array::from(filter)}};
    const int64_t zeros = apply_variant({.same_padding = true}, graph, arrays);
    // TensorFlow's: as many outputs as half the map, rounded up, and the odd zero behind.
    const int64_t all = ((size + 1) / 2 - 1) * 2 + kernel - size;
    const auto expected = filtered(testing::values_of(map), size, testing::values_of(filter),
                                   kernel, 2, all / 2, all - all / 2);
    const auto& changed = std::get<kind::Convolution>(graph.nodes[1].kind);
    const Tensor weight = arrays.at("conv.weight").to_tensor("conv.weight");
    EXPECT_EQ(filtered(testing::values_of(map), size, testing::values_of(weight), changed.kernel, 2,
                       changed.padding, changed.padding),
              expected)
        << size << " " << kernel;
    EXPECT_EQ(changed.kernel, size % 2 == 0 ? kernel + 1 : kernel);
    EXPECT_EQ(zeros, size % 2 == 0 ? 2 * kernel + 1 : 0);
  }
}

TEST(LibraryVariant, PoolingThatNothingExpressesIsRefusedByName) {
  Graph graph = build_network({.name = "resnet18"});
  std::map<std::string, Array> none;
  EXPECT_THAT(testing::message_of<std::invalid_argument>(
                  [&] { apply_variant({.same_padding = true}, graph, none); }),
              HasSubstr("node 'maxpool': padding SAME of a pooling over 32x32"));
}

TEST(LibraryVariant, PaddingBelongsToTheInputSize) {
  for (const char* name : {"mobilenet_v2", "efficientnet_lite0"}) {
    const auto padded_for = [&](int64_t pixels) {
      Graph graph = build_network({.name = name, .width = 0.25, .input_size = pixels});
      std::map<std::string, Array> none;
      apply_variant({.same_padding = true}, graph, none);
      return graph;
    };
    for (const int64_t own : {64, 48, 33}) {
      const Graph graph = padded_for(own);
      std::vector<int64_t> taken;
      for (int64_t pixels = 32; pixels <= 256; ++pixels) {
        Graph resized = graph;
        resized.set_input_size(pixels);
        if (nlohmann::json(resized) == nlohmann::json(padded_for(pixels))) {
          EXPECT_NO_THROW(require_same_padding(graph, pixels)) << name << own << " " << pixels;
          taken.push_back(pixels);
        } else {
          EXPECT_THROW(require_same_padding(graph, pixels), std::invalid_argument)
              << name << own << " " << pixels;
        }
      }
      // Halved five times: what counts is which of the halves, rounded up, are odd.
      EXPECT_EQ(taken.size(), own == 64 ? 8u : 7u) << own;
      EXPECT_THAT(taken, Contains(own));
    }
    EXPECT_THAT(testing::message_of<std::invalid_argument>(
                    [&] { require_same_padding(padded_for(64), 48); }),
                HasSubstr("built in for 64x64 images and is another for 48x48"));
  }
}

TEST(LibraryVariant, FollowsTheLibraryUnlessItIsSaid) {
  const auto eps = [](Library library, const char* network, TrainedIn trained_in) {
    return variant_of(library, network, trained_in).eps;
  };
  EXPECT_EQ(eps(Library::torchvision, "mobilenet_v3_large", TrainedIn::guessed), 0);
  EXPECT_EQ(eps(Library::timm, "mobilenet_v3_large", TrainedIn::guessed), 1e-5f);
  EXPECT_EQ(eps(Library::timm, "mobilenet_v3_large", TrainedIn::tensorflow), 1e-3f);
  EXPECT_EQ(eps(Library::hugging_face, "mobilenet_v2", TrainedIn::pytorch), 1e-3f);
  EXPECT_EQ(eps(Library::hugging_face, "resnet18", TrainedIn::guessed), 0);
  const Variant guessed = variant_of(Library::hugging_face, "mobilenet_v2", TrainedIn::guessed);
  EXPECT_TRUE(guessed.same_padding && guessed.centred);
  const Variant said = variant_of(Library::hugging_face, "mobilenet_v2", TrainedIn::pytorch);
  EXPECT_FALSE(said.same_padding || said.centred);
}

TEST(LibraryVariant, ChangesEpsilonAndReluEverywhere) {
  Graph graph = build_network({.name = "mobilenet_v1"});
  std::map<std::string, Array> none;
  apply_variant({.eps = 0.5f, .relu6 = true}, graph, none);
  for (const Node& node : graph.nodes) {
    if (const auto* norm = std::get_if<kind::BatchNorm>(&node.kind)) {
      EXPECT_EQ(norm->eps, 0.5f);
    }
    if (const auto* activate = std::get_if<kind::Activate>(&node.kind)) {
      EXPECT_EQ(activate->activation, Activation::relu6);
    }
  }
}

}  // namespace
}  // namespace edgeprune
