#include "engine/autograd/variable.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "engine/base/buffer.h"
#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::values_of;
using Floats = std::vector<float>;

Variable leaf(const Floats& values) {
  return Variable(Tensor({static_cast<int64_t>(values.size())}, values), true);
}

Tensor map(const Tensor& tensor, const std::function<float(float)>& function) {
  Tensor result(tensor.shape());
  for (int64_t i = 0; i < tensor.count(); ++i) result.data()[i] = function(tensor.data()[i]);
  return result;
}

// Ops just for these tests: autograd knows none itself.

Variable scale(const Variable& x, float factor) {
  const auto times = [factor](const Tensor& t) {
    return map(t, [=](float v) { return factor * v; });
  };
  return Variable::result(times(x.value()), {x}, [times](const Tensor& grad, InputGrads& inputs) {
    inputs.add(0, times(grad));
  });
}

/// Hands the very same buffer to both inputs, as ops::add does.
Variable add(const Variable& a, const Variable& b) {
  Tensor sum(a.shape());
  for (int64_t i = 0; i < sum.count(); ++i)
    sum.data()[i] = a.value().data()[i] + b.value().data()[i];
  return Variable::result(sum, {a, b}, [](const Tensor& grad, InputGrads& inputs) {
    inputs.add(0, grad);
    inputs.add(1, grad);
  });
}

Variable square(const Variable& x) {
  return Variable::result(map(x.value(), [](float v) { return v * v; }), {x},
                          [saved = x.value()](const Tensor& grad, InputGrads& inputs) {
                            Tensor result(grad.shape());
                            for (int64_t i = 0; i < grad.count(); ++i) {
                              result.data()[i] = 2 * saved.data()[i] * grad.data()[i];
                            }
                            inputs.add(0, result);
                          });
}

TEST(Variable, KnowsWhetherItRequiresAGradient) {
  EXPECT_FALSE(Variable().defined());
  const Variable constant(Tensor({2}, 1.0f)), x = leaf({1, 2});
  EXPECT_FALSE(constant.requires_grad());
  EXPECT_TRUE(x.requires_grad());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(constant.grad().defined());
  EXPECT_FALSE(add(constant, constant).requires_grad());
  EXPECT_TRUE(add(constant, x).requires_grad());
}

TEST(Variable, TwoUsesAddUp) {
  const Variable x = leaf({1, 2});
  add(scale(x, 3), scale(x, 4)).backward(Tensor({2}, Floats{1, 10}));
  EXPECT_EQ(values_of(x.grad()), (Floats{7, 70}));
}

TEST(Variable, TheSameInputTwiceDoesNotSpoilTheSharedBuffer) {
  // add() hands out its own gradient's buffer twice: summing in place would double what others
  // hold.
  const Variable x = leaf({1, 2}), y = leaf({1, 2});
  const Tensor grad({2}, Floats{1, 10});
  Variable twice = add(x, x);
  add(add(twice, y), y).backward(grad);
  EXPECT_EQ(values_of(x.grad()), (Floats{2, 20}));
  EXPECT_EQ(values_of(y.grad()), (Floats{2, 20}));
  EXPECT_EQ(values_of(grad), (Floats{1, 10}));
}

TEST(Variable, GradientsAccumulateOverBackwardsUntilCleared) {
  Variable x = leaf({3});
  scale(x, 2).backward();
  const Tensor first = x.grad();
  scale(x, 5).backward();
  EXPECT_EQ(values_of(x.grad()), (Floats{7}));
  EXPECT_EQ(values_of(first), (Floats{2})) << "a gradient that somebody holds must not change";
  x.clear_grad();
  EXPECT_FALSE(x.grad().defined());
  scale(x, 5).backward();
  EXPECT_EQ(values_of(x.grad()), (Floats{5}));
}

TEST(Variable, AResidualBlockGetsBothPathsBeforeItPassesOn) {
  // y = x^2 + (y's own input scaled); a wrong order would send a half-summed gradient down.
  const Variable x = leaf({2, 3});
  const Variable stream = square(x);                        // x^2
  Variable out = add(stream, scale(square(stream), 0.5f));  // x^2 + x^4 / 2
  out = add(out, scale(out, 2));                            // 3 x^2 + 3 x^4 / 2
  out.backward(Tensor({2}, 1.0f));
  EXPECT_EQ(values_of(x.grad()), (Floats{6 * 2 + 6 * 8, 6 * 3 + 6 * 27}));
}

TEST(Variable, InputsWithoutGradientAreNotWanted) {
  const Variable constant(Tensor({1}, 1.0f)), x = leaf({1});
  bool wanted[2] = {true, false};
  Variable::result(Tensor({1}, 0.0f), {constant, x}, [&](const Tensor& grad, InputGrads& inputs) {
    wanted[0] = inputs.wanted(0);
    wanted[1] = inputs.wanted(1);
    inputs.add(0, grad);  // harmless
    inputs.add(1, grad);
  }).backward();
  EXPECT_FALSE(wanted[0]);
  EXPECT_TRUE(wanted[1]);
  EXPECT_FALSE(constant.grad().defined());
}

TEST(Variable, CopiesAreHandlesOnTheSameGradient) {
  const Variable x = leaf({1});
  const Variable copy = x;
  scale(copy, 2).backward();
  EXPECT_EQ(values_of(x.grad()), (Floats{2}));
}

TEST(Variable, BackwardNeedsAScalarOrAGradient) {
  Variable y = scale(leaf({1, 2}), 2);
  try {
    y.backward();
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("[2]"), std::string::npos) << error.what();
  }
  EXPECT_THROW(y.backward(Tensor({3}, 1.0f)), std::invalid_argument);
  EXPECT_THROW(Variable(Tensor({1}, 1.0f)).backward(), std::invalid_argument);
}

TEST(Variable, AGradientOfAnotherShapeIsRefused) {
  const Variable x = leaf({1, 2});
  Variable y = Variable::result(Tensor({1}, 0.0f), {x}, [](const Tensor&, InputGrads& inputs) {
    inputs.add(0, Tensor({3}, 1.0f));
  });
  EXPECT_THROW(y.backward(), std::invalid_argument);
}

TEST(NoGrad, RecordsNothing) {
  const Variable x = leaf({1});
  auto token = std::make_shared<int>(0);
  {
    NoGrad outer;
    EXPECT_FALSE(grad_enabled());
    { NoGrad inner; }
    EXPECT_FALSE(grad_enabled()) << "nested scopes end one by one";
    const Variable y =
        Variable::result(Tensor({1}, 0.0f), {x}, [token](const Tensor&, InputGrads&) {});
    EXPECT_FALSE(y.requires_grad());
    EXPECT_EQ(token.use_count(), 1) << "the closure and what it captured must be gone";
    std::thread([] { EXPECT_TRUE(grad_enabled()); }).join();
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_TRUE(scale(x, 2).requires_grad());
}

TEST(Variable, BackwardReleasesClosuresAndIntermediateGradients) {
  const Variable x = leaf({1});
  auto token = std::make_shared<int>(0);
  Variable y =
      Variable::result(Tensor({1}, 0.0f), {x},
                       [token](const Tensor& grad, InputGrads& inputs) { inputs.add(0, grad); });
  Variable z = scale(y, 2);
  EXPECT_EQ(token.use_count(), 2);
  z.backward();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(y.grad().defined());
  EXPECT_FALSE(z.grad().defined());
  EXPECT_TRUE(x.grad().defined());
}

TEST(Variable, HistoryDoesNotHoldValuesThatNoClosureReads) {
  const Variable x = leaf({1});
  Variable middle = scale(x, 2);
  const Variable end = scale(middle, 3);
  EXPECT_TRUE(middle.value().unique()) << "scale() needs only the factor";
}

TEST(Variable, AWalkedGraphLeavesNoMemoryBehind) {
  const Variable x(Tensor({1000}, 1.0f), true);
  const auto step = [&] {
    Variable y = x;
    for (int i = 0; i < 10; ++i) y = add(square(y), scale(y, 0.1f));
    y.backward(Tensor({1000}, 1.0f));
  };
  step();
  const BufferStats before = buffer_stats();
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(buffer_stats().bytes_in_use, before.bytes_in_use);
}

constexpr int kDeep = 300000;

TEST(Variable, DeepHistoryDoesNotOverflowTheStack) {
  const Variable x = leaf({1});
  Variable y = x;
  for (int i = 0; i < kDeep; ++i) y = scale(y, 1);
  y.backward();
  EXPECT_EQ(values_of(x.grad()), (Floats{1}));
}

TEST(Variable, DeepHistoryThatIsNeverWalkedDoesNotEither) {
  Variable y = leaf({1});
  for (int i = 0; i < kDeep; ++i) y = add(y, y);
  y = Variable();
  SUCCEED();
}

TEST(GradientCheck, AcceptsARightGradientAndNamesAWrongOne) {
  const Tensor x = testing::random_tensor({2, 3}, 1, 0.5f, 1);
  const auto right = [](const std::vector<Variable>& in) { return square(in[0]); };
  EXPECT_TRUE(testing::gradients_match({.function = right, .inputs = {x}}));
  const auto wrong = [](const std::vector<Variable>& in) {
    return Variable::result(map(in[0].value(), [](float v) { return v * v; }), {in[0]},
                            [](const Tensor& grad, InputGrads& inputs) {
                              Tensor result(grad.shape(), 0.0f);
                              inputs.add(0, result);
                            });
  };
  const auto verdict = testing::gradients_match({.function = wrong, .inputs = {x}});
  EXPECT_FALSE(verdict);
  EXPECT_NE(std::string(verdict.message()).find("input 0 ["), std::string::npos)
      << verdict.message();
}

TEST(GradientCheck, SkipsCornersButNotTooMany) {
  const auto relu6 = [](const std::vector<Variable>& in) {
    return Variable::result(map(in[0].value(), [](float v) { return std::clamp(v, 0.0f, 6.0f); }),
                            {in[0]},
                            [saved = in[0].value()](const Tensor& grad, InputGrads& inputs) {
                              Tensor result = grad.clone();
                              for (int64_t i = 0; i < grad.count(); ++i) {
                                const float v = saved.data()[i];
                                if (v <= 0 || v >= 6) result.data()[i] = 0;
                              }
                              inputs.add(0, result);
                            });
  };
  const auto identity = [](const std::vector<Variable>& in) { return in[0]; };
  const auto check = [&](const Floats& values, bool skip) {
    return testing::gradients_match(
        {.function = relu6,
         .inputs = {Tensor({static_cast<int64_t>(values.size())}, values)},
         .pre_activation = skip ? identity : testing::VariableFunction()});
  };
  EXPECT_FALSE(check({1, 2, 0}, false)) << "the corner has no derivative";
  EXPECT_TRUE(check({1, 2, 0}, true));
  EXPECT_FALSE(check({1, 6, 0}, true)) << "a check of one element in three is none";
}

}  // namespace
}  // namespace edgeprune
