#include "engine/nn/layers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace edgeprune::nn {
namespace {

using testing::random_tensor;

double mean_of(const Tensor& tensor) {
  double sum = 0;
  for (const float value : tensor.values()) sum += value;
  return sum / double(tensor.count());
}

double deviation_of(const Tensor& tensor) {
  const double mean = mean_of(tensor);
  double squares = 0;
  for (const float value : tensor.values()) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / double(tensor.count()));
}

TEST(Conv2d, StartsKaimingNormalByFanOut) {
  Rng rng(0);
  Conv2d conv(64, 128, 3, {.padding = 1});
  conv.draw(rng);
  EXPECT_EQ(conv.weight.shape(), (Shape{128, 64, 3, 3}));
  const double expected = std::sqrt(2.0 / (128 * 9));
  EXPECT_NEAR(deviation_of(conv.weight.value()), expected, 0.02 * expected);
  EXPECT_NEAR(mean_of(conv.weight.value()), 0, 0.02 * expected);
}

TEST(Conv2d, GroupsShareTheFanOut) {
  Rng rng(0);
  Conv2d conv(2000, 2000, 3, {.padding = 1, .groups = 2000});
  conv.draw(rng);
  EXPECT_EQ(conv.weight.shape(), (Shape{2000, 1, 3, 3}));
  const double expected = std::sqrt(2.0 / 9);
  EXPECT_NEAR(deviation_of(conv.weight.value()), expected, 0.03 * expected);
}

TEST(Conv2d, ForwardConvolvesWithItsParameters) {
  const Conv2d conv(3, 5, 3, {.stride = 2, .padding = 1});
  const Variable y = conv.forward(Variable(random_tensor({2, 8, 8, 3}, 1)));
  EXPECT_EQ(y.shape(), (Shape{2, 4, 4, 5}));
  EXPECT_TRUE(y.requires_grad());
}

TEST(Linear, StartsUniformByFanIn) {
  Rng rng(0);
  Linear linear(100, 500);
  linear.draw(rng);
  EXPECT_EQ(linear.weight.shape(), (Shape{500, 100}));
  EXPECT_EQ(linear.bias.shape(), (Shape{500}));
  for (const Tensor& tensor : {linear.weight.value(), linear.bias.value()}) {
    const auto [least, most] = std::minmax_element(tensor.values().begin(), tensor.values().end());
    EXPECT_GE(*least, -0.1f);
    EXPECT_LE(*most, 0.1f);
    EXPECT_LT(*least, -0.095f);
    EXPECT_GT(*most, 0.095f);
  }
  EXPECT_NEAR(deviation_of(linear.weight.value()), 0.1 / std::sqrt(3.0), 1e-3);
}

TEST(Layers, RepeatWithTheSeed) {
  const auto weights = [](uint64_t seed) {
    Rng rng(seed);
    Linear linear(7, 5);
    linear.draw(rng);
    return linear.weight.value();
  };
  EXPECT_TRUE(testing::identical(weights(3), weights(3)));
  EXPECT_FALSE(testing::identical(weights(3), weights(4)));
}

TEST(BatchNorm2d, StartsAsTheIdentity) {
  BatchNorm2d norm(3, Activation::none);
  norm.train(false);
  const Tensor x = random_tensor({2, 2, 2, 3}, 1);
  EXPECT_LE(testing::max_abs_error(norm.forward(Variable(x)).value(), x), 1e-5);
}

TEST(BatchNorm2d, CountsTrainingBatchesOnly) {
  BatchNorm2d norm(3, Activation::relu6);
  const Variable x(random_tensor({2, 2, 2, 3}, 1));
  norm.forward(x);
  norm.forward(x);
  EXPECT_EQ(norm.num_batches_tracked, 2);
  const Tensor mean = norm.state.running_mean.clone();
  EXPECT_NE(mean.data()[0], 0.0f);
  norm.train(false);
  norm.forward(x);
  EXPECT_EQ(norm.num_batches_tracked, 2);
  EXPECT_TRUE(testing::identical(norm.state.running_mean, mean));
}

TEST(BatchNorm2d, AppliesItsActivation) {
  BatchNorm2d norm(1, Activation::relu6);
  norm.train(false);
  const Variable y = norm.forward(Variable(Tensor({3, 1}, std::vector<float>{-1, 3, 9})));
  EXPECT_EQ(y.value().data()[0], 0.0f);
  EXPECT_NEAR(y.value().data()[1], 3.0f, 1e-4);
  EXPECT_EQ(y.value().data()[2], 6.0f);
}

}  // namespace
}  // namespace edgeprune::nn
