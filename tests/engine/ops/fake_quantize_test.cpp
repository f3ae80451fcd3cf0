#include "engine/ops/fake_quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/gradient_check.h"
#include "tests/support/message_of.h"

namespace edgeprune::ops {
namespace {

using ::testing::ElementsAre;
using testing::message_of;

Tensor row(std::vector<float> values) {
  return Tensor({static_cast<int64_t>(values.size())}, values);
}

std::vector<float> gradient(const Variable& output, const Variable& input) {
  Variable(output).backward(Tensor(output.shape(), 1.0f));
  const auto values = input.grad().values();
  return {values.begin(), values.end()};
}

TEST(FakeQuantize, RoundsToTheGridTiesToEvenAndCutsAtItsEnds) {
  const Grid grid{0.5f, 2, 0, 7};  // -1 to 2.5
  const Variable x(row({-3.0f, -1.2f, -0.25f, 0.0f, 0.24f, 0.75f, 1.25f, 2.6f, 9.0f}), true);
  const Variable y = fake_quantize(x, grid);
  EXPECT_THAT(y.value().values(), ElementsAre(-1, -1, 0, 0, 0, 1, 1, 2.5, 2.5));
  EXPECT_THAT(gradient(y, x), ElementsAre(0, 1, 1, 1, 1, 1, 1, 1, 0));
}

TEST(FakeQuantize, ActivatesFirst) {
  const Grid grid{0.5f, 0, 0, 127};
  const Variable x(row({-3.0f, 0.24f, 0.3f, 5.9f, 6.5f}), true);
  const Variable y = fake_quantize(x, grid, Activation::relu6);
  EXPECT_THAT(y.value().values(), ElementsAre(0, 0, 0.5, 6, 6));
  EXPECT_THAT(gradient(y, x), ElementsAre(0, 1, 1, 1, 0));
}

// On a grid so fine that differences show none of its steps; its range is from -1 to 1.
constexpr Grid kFine{0x1p-20f, 1 << 20, 0, 1 << 21};

/// Moved so that the corners of the range are those that the checker knows, 0 and 6.
testing::VariableFunction at_corners(float low, float high) {
  return [=](const std::vector<Variable>& in) {
    Tensor moved = in[0].value().clone();
    for (float& x : moved.values()) x = (x - low) * 6 / (high - low);
    return Variable(moved);
  };
}

TEST(FakeQuantize, GradientsAreThoseOfTheFunctionWithoutItsSteps) {
  const auto quantize = [](Activation activation) {
    return [=](const std::vector<Variable>& in) { return fake_quantize(in[0], kFine, activation); };
  };
  const Tensor x = testing::random_tensor({7, 5}, 1, -2, 2);
  EXPECT_TRUE(testing::gradients_match({quantize(Activation::none), {x}, at_corners(-1, 1)}));
  EXPECT_TRUE(testing::gradients_match({quantize(Activation::relu6), {x}, at_corners(0, 1)}));
  const auto rows = [](const std::vector<Variable>& in) {
    return fake_quantize_rows(in[0], std::vector<float>(7, 0x1p-20f), 1 << 22);
  };
  EXPECT_TRUE(testing::gradients_match({rows, {x}}));
}

TEST(FakeQuantize, EachRowHasItsScaleAndZerosStay) {
  const Variable w(Tensor({2, 3}, std::vector<float>{1.0f, 0.0f, -0.26f, 4.0f, 0.0f, 1.1f}), true);
  const Variable y = fake_quantize_rows(w, std::vector<float>{0.25f, 2.0f}, 4);
  EXPECT_THAT(y.value().values(), ElementsAre(1, 0, -0.25, 4, 0, 2));
  EXPECT_THAT(gradient(y, w), ElementsAre(1, 1, 1, 1, 1, 1));
}

TEST(FakeQuantize, RefusesWhatIsNoGrid) {
  const Variable x(row({1}), true);
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              fake_quantize(x, {0.0f, 0, 0, 255});
            }),
            "[fake_quantize] expected a positive scale, got 0");
  EXPECT_EQ(message_of<std::invalid_argument>([&] {
              fake_quantize_rows(x, std::vector<float>{1, 1}, 127);
            }),
            "[fake_quantize] expected a scale for each output of weight [1], got 2");
}

}  // namespace
}  // namespace edgeprune::ops
