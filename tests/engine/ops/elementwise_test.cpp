#include "engine/ops/elementwise.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::gradients_match;
using testing::random_tensor;

TEST(Activate, GradientsMatchFiniteDifferences) {
  for (const Activation activation : values_in(kActivations)) {
    const float shift = form_of(activation).shift;
    EXPECT_TRUE(gradients_match(
        {.function = [=](const auto& in) { return ops::activate(in[0], activation); },
         .inputs = {random_tensor({3, 5, 7}, 1, -6, 10)},
         .pre_activation =
             [=](const auto& in) {
               return ops::add(in[0], Variable(Tensor(in[0].shape(), shift)));
             }}))
        << name_of(kActivations, activation);
  }
}

TEST(Activate, IsThatOfItsName) {
  const Variable x(Tensor({5}, std::vector<float>{-4, 0, 1.5f, 6, 7}));
  const auto of = [&](const char* name) {
    return testing::values_of(ops::activate(x, value_of("activation", kActivations, name)).value());
  };
  EXPECT_EQ(of("none"), testing::values_of(x.value()));
  EXPECT_EQ(of("relu"), (std::vector<float>{0, 0, 1.5f, 6, 7}));
  EXPECT_EQ(of("relu6"), (std::vector<float>{0, 0, 1.5f, 6, 6}));
  EXPECT_EQ(of("hard_swish"), (std::vector<float>{0, 0, 1.125f, 6, 7}));
  EXPECT_EQ(of("hard_sigmoid"), (std::vector<float>{0, 0.5f, 0.75f, 1, 1}));
  const float s[] = {0.01798621f, 0.5f, 0.81757448f, 0.99752738f, 0.99908895f};
  for (size_t i = 0; i < std::size(s); ++i) {
    EXPECT_FLOAT_EQ(of("sigmoid")[i], s[i]);
    EXPECT_FLOAT_EQ(of("silu")[i], x.value().data()[i] * s[i]);
  }
}

TEST(Add, GradientsMatchFiniteDifferences) {
  EXPECT_TRUE(
      gradients_match({.function = [](const auto& in) { return ops::add(in[0], in[1]); },
                       .inputs = {random_tensor({2, 3, 5}, 1), random_tensor({2, 3, 5}, 2)}}));
}

TEST(Add, ToItselfDoublesTheGradient) {
  EXPECT_TRUE(gradients_match({.function = [](const auto& in) { return ops::add(in[0], in[0]); },
                               .inputs = {random_tensor({2, 3}, 1)}}));
}

TEST(Add, TakesAnyShape) {
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{17}, Shape{2, 3, 4, 5}, Shape{2, 0}, Shape{0, 2}}) {
    const Variable x(Tensor(shape, 1.0f)), y(Tensor(shape, 2.0f));
    EXPECT_TRUE(testing::identical(ops::add(x, y).value(), Tensor(shape, 3.0f)))
        << shape.to_string();
  }
}

TEST(Add, WrongShapesAreNamed) {
  try {
    ops::add(Variable(Tensor({2, 3})), Variable(Tensor({3, 2})));
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    for (const char* part : {"[add]", "[2,3]", "[3,2]"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

TEST(Multiply, GradientsMatchFiniteDifferences) {
  for (const Shape& factors : {Shape{2, 5}, Shape{2, 1, 1, 5}}) {
    EXPECT_TRUE(
        gradients_match({.function = [](const auto& in) { return ops::multiply(in[0], in[1]); },
                         .inputs = {random_tensor({2, 3, 4, 5}, 1), random_tensor(factors, 2)}}));
  }
}

TEST(Multiply, ScalesEachChannelOfEachImage) {
  const Variable x(Tensor({2, 1, 2, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8})),
      f(Tensor({2, 2}, std::vector<float>{10, 0, 1, -1}));
  EXPECT_EQ(testing::values_of(ops::multiply(x, f).value()),
            (std::vector<float>{10, 0, 30, 0, 5, -6, 7, -8}));
}

TEST(Multiply, WrongShapesAreNamed) {
  for (const Shape& factors : {Shape{2, 4}, Shape{1, 5}, Shape{5}, Shape{2, 1, 5}}) {
    try {
      ops::multiply(Variable(Tensor({2, 3, 4, 5})), Variable(Tensor(factors)));
      ADD_FAILURE() << "accepted " << factors.to_string();
    } catch (const std::invalid_argument& error) {
      const std::string message = error.what();
      for (const std::string& part :
           {std::string("[multiply]"), std::string("[2,3,4,5]"), factors.to_string()}) {
        EXPECT_NE(message.find(part), std::string::npos) << message;
      }
    }
  }
}

TEST(Reshape, KeepsValuesAndGradients) {
  EXPECT_TRUE(gradients_match({.function =
                                   [](const auto& in) {
                                     return ops::reshape(in[0], {2, 1, 1, 6});
                                   },
                               .inputs = {random_tensor({2, 3, 2}, 1)}}));
  EXPECT_THROW(ops::reshape(Variable(Tensor({2, 3}, 0.0f)), {5}), std::invalid_argument);
}

TEST(Dropout, GradientsMatchFiniteDifferences) {
  EXPECT_TRUE(gradients_match({.function =
                                   [](const auto& in) {
                                     Rng same_mask_every_time(3);
                                     return ops::dropout(in[0], 0.4f, true, same_mask_every_time);
                                   },
                               .inputs = {random_tensor({4, 8}, 1)}}));
}

TEST(Dropout, KeepsTheExpectation) {
  Rng rng(0);
  const int64_t count = 100000;
  const float rate = 0.2f;
  const Variable y = ops::dropout(Variable(Tensor({count}, 1.0f)), rate, true, rng);
  int64_t zeros = 0;
  for (const float value : y.value().values()) {
    if (value == 0.0f) {
      ++zeros;
    } else {
      ASSERT_FLOAT_EQ(value, 1.25f);
    }
  }
  // The share of zeros has a standard deviation of sqrt(0.2 * 0.8 / count) = 0.0013.
  EXPECT_NEAR(double(zeros) / double(count), rate, 0.006);
  const auto values = y.value().values();
  EXPECT_NEAR(std::accumulate(values.begin(), values.end(), 0.0) / double(count), 1.0, 0.008);
}

TEST(Dropout, EvaluationAndRateZeroPassTheInputOn) {
  Rng rng(0);
  const Variable x(random_tensor({10}, 1), true);
  EXPECT_EQ(ops::dropout(x, 0.5f, false, rng).value().data(), x.value().data());
  EXPECT_EQ(ops::dropout(x, 0.0f, true, rng).value().data(), x.value().data());
  EXPECT_EQ(rng.bits(), Rng(0).bits()) << "nothing is drawn";
}

TEST(Dropout, TheRateMustBeAProbabilityBelowOne) {
  Rng rng(0);
  for (const float rate : {-0.1f, 1.0f, 2.0f, NAN}) {
    EXPECT_THROW(ops::dropout(Variable(Tensor({2}, 1.0f)), rate, true, rng), std::invalid_argument);
  }
}

}  // namespace
}  // namespace edgeprune
