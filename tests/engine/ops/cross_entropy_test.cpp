#include "engine/ops/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

float loss_of(const Tensor& logits, const std::vector<int>& labels) {
  return ops::cross_entropy(Variable(logits), labels).value().data()[0];
}

TEST(CrossEntropy, IsTheMeanNegativeLogProbability) {
  const Tensor logits({2, 3}, std::vector<float>{1, 2, 3, 0, 0, 0});
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(loss_of(logits, {2, 0}), (-std::log(std::exp(3.0) / sum) + std::log(3.0)) / 2, 1e-6);
  EXPECT_EQ(ops::cross_entropy(Variable(logits), std::vector<int>{2, 0}).shape(), Shape{});
}

TEST(CrossEntropy, GradientsMatchFiniteDifferences) {
  const std::vector<int> labels{3, 0, 4, 4};
  EXPECT_TRUE(testing::gradients_match(
      {.function = [&](const auto& in) { return ops::cross_entropy(in[0], labels); },
       .inputs = {testing::random_tensor({4, 5}, 1, -2, 2)}}));
}

// By hand: -log p of logits (0, log 3) is log 4 and log 4/3.
TEST(CrossEntropy, SmoothingAndClassWeightsAreAsInPyTorch) {
  const Tensor logits({2, 2}, std::vector<float>{0, std::log(3.0f), 0, std::log(3.0f)});
  const std::vector<int> labels{0, 1};
  const double a = std::log(4.0), b = std::log(4.0 / 3);
  const auto loss = [&](const ops::Targets& targets) {
    return ops::cross_entropy(Variable(logits), labels, targets).value().data()[0];
  };
  EXPECT_NEAR(loss({}), (a + b) / 2, 1e-6);
  EXPECT_NEAR(loss({.smoothing = 0.2f}), (0.9 * a + 0.1 * b + 0.9 * b + 0.1 * a) / 2, 1e-6);
  EXPECT_NEAR(loss({.class_weights = {3, 1}}), (3 * a + b) / 4, 1e-6);
  EXPECT_NEAR(loss({.smoothing = 0.2f, .class_weights = {3, 1}}),
              (3 * 0.9 * a + 0.1 * b + 0.9 * b + 3 * 0.1 * a) / 4, 1e-6);
  EXPECT_THROW(loss({.class_weights = {1}}), std::invalid_argument);
  EXPECT_THROW(loss({.class_weights = {0, 0}}), std::invalid_argument);
  EXPECT_THROW(loss({.class_weights = {-1, 2}}), std::invalid_argument);
  EXPECT_THROW(loss({.smoothing = 1}), std::invalid_argument);
}

TEST(CrossEntropy, GradientsOfSmoothedAndWeightedTargetsMatchFiniteDifferences) {
  const std::vector<int> labels{3, 0, 4, 4};
  for (const ops::Targets& targets :
       {ops::Targets{.smoothing = 0.3f}, ops::Targets{.class_weights = {2, 0.5f, 1, 0, 3}},
        ops::Targets{.smoothing = 0.1f, .class_weights = {2, 0.5f, 1, 0, 3}}}) {
    EXPECT_TRUE(testing::gradients_match(
        {.function = [&](const auto& in) { return ops::cross_entropy(in[0], labels, targets); },
         .inputs = {testing::random_tensor({4, 5}, 1, -2, 2)}}));
  }
}

TEST(CrossEntropy, LargeLogitsDoNotOverflow) {
  EXPECT_NEAR(loss_of(Tensor({1, 2}, std::vector<float>{1e4f, 0}), {0}), 0, 1e-6);
  EXPECT_NEAR(loss_of(Tensor({1, 2}, std::vector<float>{1e4f, 0}), {1}), 1e4, 1e-2);
  EXPECT_NEAR(loss_of(Tensor({1, 2}, std::vector<float>{-1e4f, -1e4f}), {1}), std::log(2.0), 1e-6);
}

TEST(CrossEntropy, NotANumberIsNotHidden) {
  EXPECT_TRUE(std::isnan(loss_of(Tensor({1, 2}, std::vector<float>{NAN, 0}), {1})));
  EXPECT_TRUE(std::isnan(loss_of(Tensor({1, 2}, std::vector<float>{0, NAN}), {0})));
}

TEST(CrossEntropy, WrongCountsAndLabelsAreNamed) {
  const auto message = [](const Shape& logits, const std::vector<int>& labels) -> std::string {
    try {
      ops::cross_entropy(Variable(Tensor(logits, 0.0f)), labels);
      return "accepted";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  EXPECT_NE(message({2, 3}, {0}).find("[2,3] and 1 labels"), std::string::npos);
  EXPECT_NE(message({2, 3}, {0, 3}).find("label 3 of image 1 is not in [0,3)"), std::string::npos);
  EXPECT_NE(message({1, 3}, {-1}).find("label -1 of image 0"), std::string::npos);
  EXPECT_NE(message({2}, {0, 1}).find("[2]"), std::string::npos);
  EXPECT_NE(message({0, 3}, {}).find("[0,3]"), std::string::npos);
}

}  // namespace
}  // namespace edgeprune
