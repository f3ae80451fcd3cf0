#include "models/mobilenet_v2.h"
#include "engine/nn/network.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/ops/cross_entropy.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_tensor;

const Graph& small_network() {
  static const Graph graph = mobilenet_v2(0.25, 32, 10);
  return graph;
}

TEST(MobileNetV2, HasThePapersParameters) {
  const nn::Network model(mobilenet_v2(), 0);
  int64_t parameters = 0, conv_weights = 0, head_weights = 0;
  for (const auto& [name, parameter] : model.parameters()) {
    const Shape& shape = parameter.shape();
    parameters += shape.count();
    if (shape.rank() == 4) conv_weights += shape.count();
    if (shape.rank() == 2) head_weights += shape.count();
  }
  EXPECT_EQ(parameters, 2236682);
  EXPECT_EQ(conv_weights, 2189760);
  EXPECT_EQ(conv_weights + head_weights, 2202560);
}

TEST(MobileNetV2, HasTorchvisionsStateDict) {
  const auto state = nn::Network(mobilenet_v2(), 0).state_dict();
  EXPECT_EQ(state.size(), 52u * 6 + 2);  // weight; gamma, beta, mean, variance, count; the head
  EXPECT_EQ(state.at("features.0.0.weight").shape, (Shape{32, 3, 3, 3}));
  EXPECT_EQ(state.at("features.1.conv.0.0.weight").shape, (Shape{32, 1, 3, 3}));
  EXPECT_EQ(state.at("features.17.conv.2.weight").shape, (Shape{320, 960, 1, 1}));
  EXPECT_EQ(state.at("features.17.conv.3.running_var").shape, (Shape{320}));
  EXPECT_EQ(state.at("features.18.1.num_batches_tracked").dtype, DType::i64);
  EXPECT_EQ(state.at("classifier.1.weight").shape, (Shape{10, 1280}));
  EXPECT_EQ(state.at("classifier.1.bias").shape, (Shape{10}));
}

TEST(MobileNetV2, StartsFromItsSeed) {
  const auto weights = [](uint64_t seed) {
    return nn::Network(small_network(), seed).state_dict();
  };
  const auto first = weights(1), again = weights(1), other = weights(2);
  for (const auto& [name, array] : first) {
    EXPECT_EQ(array.bytes, again.at(name).bytes) << name;
    // Batch norm starts alike whatever the seed.
    const bool random = array.shape.rank() > 1 || name == "classifier.1.bias";
    EXPECT_EQ(array.bytes != other.at(name).bytes, random) << name;
  }
}

TEST(MobileNetV2, IsZeroUntilAStateDictIsLoaded) {
  nn::Network model(small_network());
  for (const auto& [name, parameter] : model.parameters()) {
    if (!name.ends_with(".weight") || parameter.shape().rank() < 2) continue;
    for (const float value : parameter.value().values()) ASSERT_EQ(value, 0.0f) << name;
  }
  const auto drawn = nn::Network(small_network(), 1).state_dict();
  model.load_state_dict(drawn);
  for (const auto& [name, array] : model.state_dict()) {
    EXPECT_EQ(array.bytes, drawn.at(name).bytes) << name;
  }
}

TEST(MobileNetV2, MapsImagesToLogits) {
  nn::Network model(small_network(), 0);
  model.train(false);
  NoGrad no_grad;
  Rng rng(0);
  const Tensor images = random_tensor({3, 32, 32, 3}, 1);
  const Variable logits = model.forward(Variable(images), rng);
  EXPECT_EQ(logits.shape(), (Shape{3, 10}));
  EXPECT_EQ(rng.bits(), Rng(0).bits()) << "no dropout in evaluation";
  // In evaluation an image's logits do not depend on its neighbours.
  const std::span<const float> second = images.values().subspan(32 * 32 * 3, 32 * 32 * 3);
  const Variable alone = model.forward(Variable(Tensor({1, 32, 32, 3}, second)), rng);
  for (int k = 0; k < 10; ++k) {
    EXPECT_NEAR(alone.value().data()[k], logits.value().data()[10 + k], 1e-5);
  }
}

TEST(MobileNetV2, TrainingReachesEveryParameter) {
  nn::Network model(small_network(), 0);
  Rng rng(0);
  const std::vector<int> labels{1, 2, 3, 4};
  ops::cross_entropy(model.forward(Variable(random_tensor({4, 32, 32, 3}, 1)), rng), labels)
      .backward();
  for (const auto& [name, parameter] : model.parameters()) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_EQ(parameter.grad().shape(), parameter.shape()) << name;
    double largest = 0;
    for (const float value : parameter.grad().values()) {
      ASSERT_TRUE(std::isfinite(value)) << name;
      largest = std::max(largest, std::abs(double(value)));
    }
    EXPECT_GT(largest, 0) << name;
  }
  for (const auto& [name, array] : model.state_dict()) {
    if (name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(array.to_int64(name), 1) << name;
    }
  }
}

TEST(MobileNetV2, SameSeedAndThreadsSameStep) {
  const auto gradients = [] {
    nn::Network model(small_network(), 0);
    Rng rng(5);
    const std::vector<int> labels{1, 2, 3, 4};
    Variable loss =
        ops::cross_entropy(model.forward(Variable(random_tensor({4, 32, 32, 3}, 1)), rng), labels);
    loss.backward();
    std::vector<Tensor> grads;
    for (const auto& [name, parameter] : model.parameters()) grads.push_back(parameter.grad());
    return grads;
  };
  const auto first = gradients(), second = gradients();
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_TRUE(testing::identical(first[i], second[i])) << i;
}

TEST(MobileNetV2, DropoutIsDrawnInTraining) {
  nn::Network model(small_network(), 0);
  const Variable images(random_tensor({4, 32, 32, 3}, 1));
  const auto logits = [&](uint64_t seed) {
    Rng rng(seed);
    return model.forward(images, rng).value();
  };
  EXPECT_TRUE(testing::identical(logits(1), logits(1)));
  EXPECT_FALSE(testing::identical(logits(1), logits(2)));
  model.set_dropout_rate(0);
  EXPECT_TRUE(testing::identical(logits(1), logits(2)));
}

TEST(MobileNetV2, ImagesOfAnotherSizeAreRefused) {
  nn::Network model(small_network(), 0);
  Rng rng(0);
  for (const Shape& shape :
       {Shape{1, 64, 64, 3}, Shape{1, 3, 32, 32}, Shape{32, 32, 3}, Shape{1, 32, 32, 1}}) {
    try {
      model.forward(Variable(Tensor(shape, 0.0f)), rng);
      ADD_FAILURE() << "accepted " << shape.to_string();
    } catch (const std::invalid_argument& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("[N,32,32,3]"), std::string::npos) << message;
      EXPECT_NE(message.find(shape.to_string()), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace edgeprune
