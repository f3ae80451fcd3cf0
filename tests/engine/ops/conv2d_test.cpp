#include "engine/ops/conv2d.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/kernels/reference/conv2d.h"
#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"
#include "tests/support/through_batch_norm.h"

namespace edgeprune {
namespace {

using testing::gradients_match;
using testing::random_tensor;

struct Case {
  const char* name;
  Shape input, weight;
  ops::Conv2dParams params;
};

const Case kCases[] = {
    {"Stem", {2, 6, 5, 3}, {4, 3, 3, 3}, {.stride = 2, .padding = 1}},
    {"Pointwise", {2, 3, 3, 5}, {7, 5, 1, 1}, {}},
    {"PointwiseOnOnePixel", {1, 1, 1, 17}, {3, 17, 1, 1}, {}},
    {"Depthwise", {2, 4, 5, 7}, {7, 1, 3, 3}, {.stride = 1, .padding = 1, .groups = 7}},
    {"DepthwiseStrideTwo", {2, 5, 4, 7}, {7, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = 7}},
    {"DepthwiseOnOnePixel",
     {2, 1, 1, 17},
     {17, 1, 3, 3},
     {.stride = 2, .padding = 1, .groups = 17}},
    {"Depthwise5x5", {1, 5, 5, 3}, {3, 1, 5, 5}, {.stride = 1, .padding = 2, .groups = 3}},
    {"Depthwise5x5StrideTwo", {2, 6, 5, 7}, {7, 1, 5, 5}, {.stride = 2, .padding = 2, .groups = 7}},
    {"Grouped", {1, 4, 4, 4}, {6, 2, 3, 3}, {.stride = 1, .padding = 1, .groups = 2}},
    {"Full3x3", {2, 5, 4, 6}, {5, 6, 3, 3}, {.padding = 1}},
    {"Full3x3StrideTwo", {2, 6, 5, 6}, {5, 6, 3, 3}, {.stride = 2, .padding = 1}},
    {"Full7x7StrideTwo", {1, 9, 8, 3}, {4, 3, 7, 7}, {.stride = 2, .padding = 3}},
    {"StridedShortcut", {2, 5, 4, 6}, {8, 6, 1, 1}, {.stride = 2}},
};

class Conv2d : public ::testing::TestWithParam<Case> {};

TEST_P(Conv2d, MatchesTheReference) {
  const auto& [name, x_shape, w_shape, params] = GetParam();
  const Tensor x = random_tensor(x_shape, 1), w = random_tensor(w_shape, 2);
  const Conv2dShape shape{.batch = x_shape[0],
                          .in_height = x_shape[1],
                          .in_width = x_shape[2],
                          .in_channels = x_shape[3],
                          .out_channels = w_shape[0],
                          .kernel = w_shape[2],
                          .stride = params.stride,
                          .padding = params.padding,
                          .groups = params.groups};
  Tensor expected({shape.batch, shape.out_height(), shape.out_width(), shape.out_channels});
  reference::conv2d_forward(shape, x.data(), w.data(), nullptr, nullptr, Activation::none,
                            expected.data());
  const Variable y = ops::conv2d(Variable(x), Variable(w), params);
  EXPECT_LE(testing::relative_error(y.value(), expected), 1e-5);
  EXPECT_FALSE(y.requires_grad());
}

TEST_P(Conv2d, GradientsMatchFiniteDifferences) {
  const auto& [name, x, w, conv_params] = GetParam();
  EXPECT_TRUE(gradients_match({.function =
                                   [params = conv_params](const std::vector<Variable>& in) {
                                     return ops::conv2d(in[0], in[1], params);
                                   },
                               .inputs = {random_tensor(x, 1), random_tensor(w, 2)}}));
}

TEST_P(Conv2d, GradientsOfTheWeightsAloneMatchFiniteDifferences) {
  const auto& [name, x, w, conv_params] = GetParam();
  EXPECT_TRUE(gradients_match(
      {.function =
           [input = random_tensor(x, 1), params = conv_params](const std::vector<Variable>& in) {
             return ops::conv2d(Variable(input), in[0], params);
           },
       .inputs = {random_tensor(w, 2)}}));
}

INSTANTIATE_TEST_SUITE_P(, Conv2d, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

TEST_P(Conv2d, BiasIsAddedAndHasAGradient) {
  const auto& [name, x, w, conv_params] = GetParam();
  const Tensor bias = random_tensor({w[0]}, 3);
  EXPECT_TRUE(gradients_match({.function =
                                   [params = conv_params](const std::vector<Variable>& in) {
                                     return ops::conv2d(in[0], in[1], params, nullptr, in[2]);
                                   },
                               .inputs = {random_tensor(x, 1), random_tensor(w, 2), bias}}));
  const Variable input(random_tensor(x, 1)), weight(random_tensor(w, 2));
  ops::ChannelMoments moments;
  const Tensor biased = ops::conv2d(input, weight, conv_params, &moments, Variable(bias)).value();
  Tensor expected = ops::conv2d(input, weight, conv_params).value().clone();
  for (int64_t i = 0; i < expected.count(); ++i) expected.data()[i] += bias.data()[i % w[0]];
  EXPECT_TRUE(testing::identical(biased, expected));
  testing::expect_moments_of(biased, moments.mean, moments.variance);
}

/// Expects an error that names the op and both shapes.
void expect_refused(const Shape& input, const Shape& weight, const ops::Conv2dParams& params) {
  try {
    ops::conv2d(Variable(Tensor(input)), Variable(Tensor(weight)), params);
    ADD_FAILURE() << "accepted " << input.to_string() << " with " << weight.to_string();
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("[conv2d]"), std::string::npos) << message;
    EXPECT_NE(message.find(input.to_string()), std::string::npos) << message;
    EXPECT_NE(message.find(weight.to_string()), std::string::npos) << message;
  }
}

TEST(Conv2dErrors, NameBothShapes) {
  expect_refused({8, 16, 16, 24}, {64, 32, 1, 1}, {});
  expect_refused({8, 16, 24}, {64, 24, 1, 1}, {});
  expect_refused({8, 16, 16, 24}, {64, 24, 1}, {});
  expect_refused({1, 4, 4, 2}, {4, 2, 3, 1}, {});
  expect_refused({1, 4, 4, 4}, {3, 2, 1, 1}, {.groups = 2});
  expect_refused({1, 2, 2, 4}, {4, 4, 5, 5}, {.padding = 1});
  expect_refused({0, 4, 4, 4}, {4, 4, 1, 1}, {});
  expect_refused({1, 4, 4, 4}, {0, 4, 1, 1}, {});
  expect_refused({1, 4, 4, 4}, {4, 4, 1, 1}, {.stride = 0});
  expect_refused({1, 4, 4, 4}, {4, 4, 1, 1}, {.padding = -1});
  expect_refused({1, 4, 4, 4}, {4, 4, 1, 1}, {.groups = 0});
}

TEST(Conv2dErrors, NameTheBias) {
  try {
    ops::conv2d(Variable(Tensor({1, 4, 4, 4})), Variable(Tensor({8, 4, 1, 1})), {}, nullptr,
                Variable(Tensor({4})));
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "[conv2d] expected a bias of [8], got [4] (input [1,4,4,4], weight [8,4,1,1])");
  }
}

TEST(Linear, IsTheProductPlusBias) {
  const Variable x(Tensor({2, 2}, std::vector<float>{1, 2, 3, 4}));
  const Variable w(Tensor({3, 2}, std::vector<float>{1, 0, 0, 1, 1, -1}));
  const Variable b(Tensor({3}, std::vector<float>{0, 10, 100}));
  const Variable y = ops::linear(x, w, b);
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(testing::values_of(y.value()), (std::vector<float>{1, 12, 99, 3, 14, 99}));
}

TEST(Linear, GradientsMatchFiniteDifferences) {
  for (const int64_t batch : {1, 3}) {
    EXPECT_TRUE(gradients_match(
        {.function = [](const auto& in) { return ops::linear(in[0], in[1], in[2]); },
         .inputs = {random_tensor({batch, 17}, 1), random_tensor({5, 17}, 2),
                    random_tensor({5}, 3)}}));
  }
}

TEST(Linear, WrongShapesAreNamed) {
  const auto linear = [](const Shape& x, const Shape& w, const Shape& b) {
    return ops::linear(Variable(Tensor(x)), Variable(Tensor(w)), Variable(Tensor(b)));
  };
  EXPECT_THROW(linear({2, 1, 1, 4}, {3, 4}, {3}), std::invalid_argument);
  EXPECT_THROW(linear({2, 4}, {3, 4}, {4}), std::invalid_argument);
  try {
    linear({2, 5}, {3, 4}, {3});
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    for (const char* part : {"[linear]", "[2,5]", "[3,4]", "[3]"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace edgeprune
