#include "engine/nn/module.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "engine/nn/layers.h"
#include "tests/support/tensors.h"

namespace edgeprune::nn {
namespace {

/// conv -> norm, under torchvision's names for a Conv2dNormActivation.
struct Block : Module {
  explicit Block(Rng& rng) : conv(2, 4, 1, {}), norm(4, Activation::relu6) {
    conv.draw(rng);
    add_module("0", conv);
    add_module("1", norm);
  }
  Conv2d conv;
  BatchNorm2d norm;
};

struct Net : Module {
  explicit Net(uint64_t seed) : rng(seed), block(rng), head(4, 3) {
    head.draw(rng);
    add_module("features", block);
    add_module("classifier", head);
  }
  Rng rng;
  Block block;
  Linear head;
};

std::vector<std::string> names_of(const std::map<std::string, Array>& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) names.push_back(name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Module, ParametersHaveDottedNamesInRegistrationOrder) {
  Names names;
  for (const auto& [name, parameter] : Net(0).parameters()) {
    names.push_back(name);
    EXPECT_TRUE(parameter.requires_grad()) << name;
  }
  EXPECT_EQ(names, (Names{"features.0.weight", "features.1.weight", "features.1.bias",
                          "classifier.weight", "classifier.bias"}));
}

TEST(Module, ParametersAreHandles) {
  Net net(0);
  net.parameters()[4].variable.value().fill(7.0f);
  EXPECT_EQ(net.head.bias.value().data()[0], 7.0f);
}

TEST(Module, TheStateDictHoldsBuffersAndCountersToo) {
  const auto state = Net(0).state_dict();
  EXPECT_EQ(names_of(state),
            (Names{"classifier.bias", "classifier.weight", "features.0.weight", "features.1.bias",
                   "features.1.num_batches_tracked", "features.1.running_mean",
                   "features.1.running_var", "features.1.weight"}));
  EXPECT_EQ(state.at("features.0.weight").shape, (Shape{4, 2, 1, 1}));
  EXPECT_EQ(state.at("features.1.num_batches_tracked").dtype, DType::i64);
}

TEST(Module, TheStateDictIsACopy) {
  Net net(0);
  const auto state = net.state_dict();
  const auto before = testing::values_of(net.head.bias.value());
  net.head.bias.value().fill(7.0f);
  EXPECT_EQ(testing::values_of(state.at("classifier.bias").to_tensor("")), before);
}

TEST(Module, LoadingCopiesEveryValue) {
  Net source(1), target(2);
  source.block.norm.state.running_mean.fill(0.25f);
  source.block.norm.num_batches_tracked = 42;
  const float* place = target.head.weight.value().data();
  target.load_state_dict(source.state_dict());
  EXPECT_EQ(target.head.weight.value().data(), place) << "values are copied, buffers stay";
  const auto expected = source.state_dict();
  for (const auto& [name, array] : target.state_dict()) {
    EXPECT_EQ(array.bytes, expected.at(name).bytes) << name;
  }
  EXPECT_EQ(target.block.norm.num_batches_tracked, 42);
}

TEST(Module, LoadingNamesThreeProblemsAndChangesNothing) {
  Net net(0);
  const auto before = net.state_dict();
  auto arrays = Net(1).state_dict();
  arrays.erase("classifier.bias");
  arrays.erase("features.1.running_var");
  arrays["classifier.1.weight"] = Array::from(Tensor({1}, 0.0f));
  arrays["features.0.weight"] = Array::from(Tensor({4, 3, 1, 1}, 0.0f));
  arrays["features.1.num_batches_tracked"] = Array::from(Tensor(Shape{}, 0.0f));
  try {
    net.load_state_dict(arrays);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    for (const char* part :
         {"missing classifier.bias", "features.0.weight is F32 [4,3,1,1], expected F32 [4,2,1,1]",
          "features.1.num_batches_tracked is F32 [], expected I64 []"}) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
    }
    EXPECT_TRUE(message.ends_with("; and 2 more")) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  for (const auto& [name, array] : net.state_dict()) {
    EXPECT_EQ(array.bytes, before.at(name).bytes) << name;
  }
}

TEST(Module, LoadingAFileOfAnotherModelListsThreeProblems) {
  Net net(0);
  auto arrays = net.state_dict();
  for (int i = 0; i < 1000; ++i) arrays["other\n" + std::to_string(i)] = Array::from(int64_t{1});
  try {
    net.load_state_dict(arrays);
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("surplus other?0; "), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with("; and 997 more")) << message;
    EXPECT_EQ(std::count(message.begin(), message.end(), ';'), 3) << message;
  }
}

TEST(Module, TrainReachesTheChildren) {
  Net net(0);
  EXPECT_TRUE(net.training());
  EXPECT_TRUE(net.block.norm.training());
  net.train(false);
  EXPECT_FALSE(net.training());
  EXPECT_FALSE(net.block.norm.training());
  EXPECT_FALSE(net.head.training());
  net.train();
  EXPECT_TRUE(net.block.norm.training());
}

}  // namespace
}  // namespace edgeprune::nn
