#include "engine/ops/pool.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

TEST(GlobalAveragePool, IsTheMeanOverThePixels) {
  const Tensor x({2, 1, 2, 2}, std::vector<float>{1, 10, 3, 20, -1, 0, -3, 8});
  const Variable y = ops::global_average_pool(Variable(x));
  EXPECT_EQ(y.shape(), (Shape{2, 2}));
  EXPECT_EQ(testing::values_of(y.value()), (std::vector<float>{2, 15, -2, 4}));
}

TEST(GlobalAveragePool, GradientsMatchFiniteDifferences) {
  for (const Shape& shape : {Shape{2, 3, 2, 5}, Shape{1, 1, 1, 17}}) {
    EXPECT_TRUE(testing::gradients_match(
        {.function = [](const auto& in) { return ops::global_average_pool(in[0]); },
         .inputs = {testing::random_tensor(shape, 1)}}));
  }
}

TEST(GlobalAveragePool, WrongShapesAreNamed) {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 0, 3, 4}, Shape{}}) {
    try {
      ops::global_average_pool(Variable(Tensor(shape)));
      ADD_FAILURE() << "accepted " << shape.to_string();
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(shape.to_string()), std::string::npos)
          << error.what();
    }
  }
}

/// [1,H,W,1] of the values.
Variable map_of(int64_t height, int64_t width, std::vector<float> values) {
  return Variable(Tensor({1, height, width, 1}, std::move(values)), true);
}

TEST(MaxPool, WorkedOutByHand) {
  // PyTorch's results for the same input: 3x3 windows, stride 2, padding 1.
  const Variable x = map_of(4, 4, {1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, 0, 9, 9, 0});
  Variable y = ops::max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 1}));
  EXPECT_EQ(testing::values_of(y.value()), (std::vector<float>{6, 8, 9, 9}));
  y.backward(Tensor({1, 2, 2, 1}, std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(testing::values_of(x.grad()),
            (std::vector<float>{0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 7, 0, 0}));
}

TEST(MaxPool, GradientsMatchFiniteDifferences) {
  // Apart by more than the checker's step, so that no step changes which is the largest.
  Tensor x({2, 5, 4, 3});
  for (int64_t i = 0; i < x.count(); ++i) {
    x.data()[i] = static_cast<float>(i * 53 % x.count()) * 0.05f;
  }
  for (const ops::MaxPoolParams& params : {ops::MaxPoolParams{2, 2, 0}, {3, 2, 1}, {3, 1, 0}}) {
    EXPECT_TRUE(testing::gradients_match(
        {.function = [=](const auto& in) { return ops::max_pool(in[0], params); }, .inputs = {x}}));
  }
}

TEST(MaxPool, WhatDoesNotFitIsNamed) {
  const auto expect_refused = [](const Shape& shape, const ops::MaxPoolParams& params) {
    try {
      ops::max_pool(Variable(Tensor(shape)), params);
      ADD_FAILURE() << "accepted " << shape.to_string();
    } catch (const std::invalid_argument& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("[max_pool]"), std::string::npos) << message;
      EXPECT_NE(message.find(shape.to_string()), std::string::npos) << message;
    }
  };
  expect_refused({2, 3}, {});
  expect_refused({2, 0, 3, 4}, {});
  expect_refused({1, 4, 4, 1}, {.kernel = 0});
  expect_refused({1, 4, 4, 1}, {.stride = 0});
  expect_refused({1, 4, 4, 1}, {.padding = -1});
  expect_refused({1, 4, 4, 1}, {.kernel = 3, .padding = 2});
  expect_refused({1, 4, 1, 1}, {.kernel = 2});
}

}  // namespace
}  // namespace edgeprune
