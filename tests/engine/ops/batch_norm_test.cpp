#include "engine/ops/batch_norm.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "engine/base/buffer.h"
#include "engine/kernels/reference/batch_norm.h"
#include "engine/ops/elementwise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_tensor;

ops::BatchNormState fresh_state(int64_t channels) {
  return {.running_mean = random_tensor({channels}, 10, -0.5f, 0.5f),
          .running_var = random_tensor({channels}, 11, 0.5f, 2)};
}

struct Inputs {
  Variable x, gamma, beta;
};
/// Wide enough for ReLU6 to clip at both ends.
Inputs random_inputs(const Shape& shape, bool requires_grad = false) {
  return {Variable(random_tensor(shape, 1, -2, 3), requires_grad),
          Variable(random_tensor({shape.back()}, 2, 2, 4), requires_grad),
          Variable(random_tensor({shape.back()}, 3, 1, 3), requires_grad)};
}

/// (training, activation)
class BatchNorm : public ::testing::TestWithParam<std::tuple<bool, Activation>> {};

TEST_P(BatchNorm, GradientsMatchFiniteDifferences) {
  const auto [training, activation] = GetParam();
  const auto norm = [train = training](Activation fused) {
    return [=](const std::vector<Variable>& in) {
      ops::BatchNormState state = fresh_state(5);
      return ops::batch_norm(in[0], in[1], in[2], state, train, fused);
    };
  };
  const Inputs in = random_inputs({2, 2, 3, 5});
  const float shift = form_of(activation).shift;
  EXPECT_TRUE(testing::gradients_match(
      {.function = norm(activation),
       .inputs = {in.x.value(), in.gamma.value(), in.beta.value()},
       .pre_activation = [&](const auto& inputs) {
         return ops::add(norm(Activation::none)(inputs), Variable(Tensor({2, 2, 3, 5}, shift)));
       }}));
}

INSTANTIATE_TEST_SUITE_P(, BatchNorm,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::ValuesIn(values_in(kActivations))),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) ? "Training" : "Evaluation") +
                                  "_" + name_of(kActivations, std::get<1>(test.param));
                         });

TEST(BatchNormOp, TrainingNormalisesWithTheBatch) {
  const Tensor x({4, 1}, std::vector<float>{1, 3, 5, 7});  // mean 4, biased variance 5
  ops::BatchNormState state{.running_mean = Tensor({1}, 0.0f), .running_var = Tensor({1}, 1.0f)};
  const Variable y = ops::batch_norm(Variable(x), Variable(Tensor({1}, 2.0f)),
                                     Variable(Tensor({1}, 0.5f)), state, true, Activation::none);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(y.value().data()[i], 2 * (x.data()[i] - 4) / std::sqrt(5 + 1e-5) + 0.5, 1e-6);
  }
}

TEST(BatchNormOp, RunningStatisticsMoveByMomentumWithTheUnbiasedVariance) {
  const Tensor x({4, 1}, std::vector<float>{1, 3, 5, 7});  // unbiased variance 20 / 3
  ops::BatchNormState state{.running_mean = Tensor({1}, 10.0f), .running_var = Tensor({1}, 1.0f)};
  const Variable one(Tensor({1}, 1.0f)), input{x};
  double mean = 10, variance = 1;
  for (int step = 0; step < 3; ++step) {
    ops::batch_norm(input, one, one, state, true, Activation::none);
    mean = 0.9 * mean + 0.1 * 4;
    variance = 0.9 * variance + 0.1 * 20.0 / 3;
    EXPECT_NEAR(state.running_mean.data()[0], mean, 1e-5);
    EXPECT_NEAR(state.running_var.data()[0], variance, 1e-5);
  }
}

TEST(BatchNormOp, MomentumAndEpsilonAreTheStates) {        // MobileNetV3's
  const Tensor x({4, 1}, std::vector<float>{1, 3, 5, 7});  // mean 4, variance 5, unbiased 20 / 3
  ops::BatchNormState state{.running_mean = Tensor({1}, 10.0f),
                            .running_var = Tensor({1}, 1.0f),
                            .momentum = 0.01f,
                            .eps = 1e-3f};
  const Variable one(Tensor({1}, 1.0f));
  const Variable y = ops::batch_norm(Variable(x), one, one, state, true, Activation::none);
  EXPECT_NEAR(state.running_mean.data()[0], 0.99 * 10 + 0.01 * 4, 1e-5);
  EXPECT_NEAR(state.running_var.data()[0], 0.99 + 0.01 * 20 / 3, 1e-6);
  EXPECT_NEAR(y.value().data()[3], 1 + 3 / std::sqrt(5 + 1e-3), 1e-6);
}

TEST(BatchNormOp, EvaluationUsesTheRunningStatisticsAndLeavesThemAlone) {
  ops::BatchNormState state = fresh_state(3);
  const Tensor mean = state.running_mean.clone(), variance = state.running_var.clone();
  const Inputs in = random_inputs({1, 1, 1, 3});  // one value per channel will do here
  const Variable y = ops::batch_norm(in.x, in.gamma, in.beta, state, false, Activation::none);
  for (int c = 0; c < 3; ++c) {
    const double xhat = (in.x.value().data()[c] - mean.data()[c]) /
                        std::sqrt(double(variance.data()[c]) + state.eps);
    EXPECT_NEAR(y.value().data()[c], in.gamma.value().data()[c] * xhat + in.beta.value().data()[c],
                1e-5);
  }
  EXPECT_TRUE(testing::identical(state.running_mean, mean));
  EXPECT_TRUE(testing::identical(state.running_var, variance));
}

TEST_P(BatchNorm, EqualsTheComposition) {
  const auto [training, activation] = GetParam();
  const Shape shape{3, 4, 4, 17};
  const Inputs fused = random_inputs(shape, true), apart = random_inputs(shape, true);
  ops::BatchNormState fused_state = fresh_state(17), apart_state = fresh_state(17);
  Variable y = ops::batch_norm(fused.x, fused.gamma, fused.beta, fused_state, training, activation);
  Variable z = ops::activate(
      ops::batch_norm(apart.x, apart.gamma, apart.beta, apart_state, training, Activation::none),
      activation);
  EXPECT_TRUE(testing::identical(y.value(), z.value()));
  const Tensor grad = random_tensor(shape, 4);
  y.backward(grad);
  z.backward(grad);
  EXPECT_LE(testing::relative_error(fused.x.grad(), apart.x.grad()), 1e-5);
  EXPECT_LE(testing::relative_error(fused.gamma.grad(), apart.gamma.grad()), 1e-5);
  EXPECT_LE(testing::relative_error(fused.beta.grad(), apart.beta.grad()), 1e-5);
  EXPECT_TRUE(testing::identical(fused_state.running_mean, apart_state.running_mean));
}

TEST(BatchNormOp, TrainingGradientsMatchTheReference) {
  const int64_t rows = 200, channels = 33;
  const Inputs in = random_inputs({rows, channels}, true);
  ops::BatchNormState state = fresh_state(channels);
  const Tensor grad = random_tensor({rows, channels}, 4);
  ops::batch_norm(in.x, in.gamma, in.beta, state, true, Activation::none).backward(grad);
  Tensor grad_x({rows, channels}), grad_gamma({channels}), grad_beta({channels});
  reference::batch_norm_backward(in.x.value().data(), grad.data(), rows, channels,
                                 in.gamma.value().data(), state.eps, grad_x.data(),
                                 grad_gamma.data(), grad_beta.data());
  EXPECT_LE(testing::relative_error(in.x.grad(), grad_x), 1e-5);
  EXPECT_LE(testing::relative_error(in.gamma.grad(), grad_gamma), 1e-5);
  EXPECT_LE(testing::relative_error(in.beta.grad(), grad_beta), 1e-5);
}

/// Passes its gradient on, and leaves made-up sums for the batch norm that made `x`.
Variable leaves_sums(const Variable& x) {
  return Variable::result(
      x.value(), {x}, [recipe = *x.lazy_value().recipe()](const Tensor& grad, InputGrads& inputs) {
        const Tensor handed_on = grad.clone();
        *recipe.sums = {handed_on, Tensor(recipe.mean.shape(), 5.0f),
                        Tensor(recipe.mean.shape(), 0.0f)};
        inputs.add(0, handed_on);
      });
}

TEST(BatchNormOp, TakesTheSumsThatItsConsumerLeft) {
  const Inputs in = random_inputs({10, 3}, true);
  ops::BatchNormState state = fresh_state(3);
  leaves_sums(ops::batch_norm(in.x, in.gamma, in.beta, state, true, Activation::relu6))
      .backward(random_tensor({10, 3}, 4));
  EXPECT_EQ(testing::values_of(in.beta.grad()), (std::vector<float>{5, 5, 5}));
  EXPECT_EQ(testing::values_of(in.gamma.grad()), (std::vector<float>{0, 0, 0}));
}

TEST(BatchNormOp, TakesItsOwnSumsWhereSomethingWasAddedToTheGradient) {
  const Inputs in = random_inputs({10, 3}, true), expected = random_inputs({10, 3}, true);
  ops::BatchNormState state = fresh_state(3), expected_state = fresh_state(3);
  const Tensor grad = random_tensor({10, 3}, 4);
  for (const bool sums_first : {true, false}) {
    for (const Inputs& inputs : {in, expected}) {
      for (Variable v : {inputs.x, inputs.gamma, inputs.beta}) v.clear_grad();
    }
    const Variable y = ops::batch_norm(in.x, in.gamma, in.beta, state, true, Activation::relu6);
    const Variable other = ops::activate(y, Activation::relu6);
    (sums_first ? ops::add(other, leaves_sums(y)) : ops::add(leaves_sums(y), other)).backward(grad);
    const Variable z = ops::batch_norm(expected.x, expected.gamma, expected.beta, expected_state,
                                       true, Activation::relu6);
    ops::add(z, ops::activate(z, Activation::relu6)).backward(grad);
    EXPECT_LE(testing::relative_error(in.x.grad(), expected.x.grad()), 1e-6);
    EXPECT_LE(testing::relative_error(in.gamma.grad(), expected.gamma.grad()), 1e-6);
    EXPECT_LE(testing::relative_error(in.beta.grad(), expected.beta.grad()), 1e-6);
  }
}

TEST(BatchNormOp, KnownMomentsAreTaken) {
  const Inputs in = random_inputs({10, 3});
  ops::BatchNormState state{.running_mean = Tensor({3}, 0.0f), .running_var = Tensor({3}, 0.0f)};
  const ops::ChannelMoments known{Tensor({3}, 2.0f), Tensor({3}, 9.0f)};
  const Variable y =
      ops::batch_norm(in.x, in.gamma, in.beta, state, true, Activation::none, &known);
  for (int64_t i = 0; i < 30; ++i) {
    const float gamma = in.gamma.value().data()[i % 3], beta = in.beta.value().data()[i % 3];
    EXPECT_NEAR(y.value().data()[i], gamma * (in.x.value().data()[i] - 2) / 3 + beta, 1e-5);
  }
  EXPECT_FLOAT_EQ(state.running_mean.data()[0], 0.2f);
  EXPECT_FLOAT_EQ(state.running_var.data()[0], 1.0f) << "the unbiased variance is 10";
}

TEST(BatchNormOp, TheResultIsNotWrittenOutUnasked) {
  const Inputs in = random_inputs({1000, 17}, true);
  ops::BatchNormState state = fresh_state(17);
  const size_t before = buffer_stats().bytes_in_use;
  const Variable y = ops::batch_norm(in.x, in.gamma, in.beta, state, true, Activation::relu6);
  const size_t tensor_bytes = 1000 * 17 * sizeof(float);
  EXPECT_LT(buffer_stats().bytes_in_use - before, tensor_bytes);
  y.value();
  EXPECT_GE(buffer_stats().bytes_in_use - before, tensor_bytes);
}

void expect_refused(const Shape& input, const Shape& gamma, bool training,
                    const std::string& part) {
  ops::BatchNormState state = fresh_state(3);
  const Tensor before = state.running_mean.clone();
  try {
    ops::batch_norm(Variable(Tensor(input, 1.0f)), Variable(Tensor(gamma, 1.0f)),
                    Variable(Tensor({3}, 0.0f)), state, training, Activation::none);
    ADD_FAILURE() << "accepted " << input.to_string();
  } catch (const std::invalid_argument& error) {
    const std::string message = error.what();
    for (const std::string& wanted : {std::string("[batch_norm]"), input.to_string(), part}) {
      EXPECT_NE(message.find(wanted), std::string::npos) << message;
    }
  }
  EXPECT_TRUE(testing::identical(state.running_mean, before));
}

TEST(BatchNormOp, WrongShapesAreNamed) {
  expect_refused({2, 2, 2, 4}, {3}, true, "gamma [3]");
  expect_refused({2, 2, 2, 3}, {4}, true, "gamma [4]");
  expect_refused({0, 2, 2, 3}, {3}, true, "input");
  expect_refused(Shape{}, {3}, false, "input");
}

TEST(BatchNormOp, OneValuePerChannelCannotTrain) {
  expect_refused({1, 1, 1, 3}, {3}, true, "larger batch");
}

}  // namespace
}  // namespace edgeprune
