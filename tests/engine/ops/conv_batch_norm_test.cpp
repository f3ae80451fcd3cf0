// Convolutions and residual adds that read their inputs and gradients through the batch norms
// around them: against finite differences, and against the same network whose every intermediate
// value and gradient is written out.

#include <gtest/gtest.h>

#include "engine/ops/batch_norm.h"
#include "engine/ops/conv2d.h"
#include "engine/ops/elementwise.h"
#include "tests/support/gradient_check.h"
#include "tests/support/through_batch_norm.h"

namespace edgeprune {
namespace {

using testing::random_tensor;
using testing::relative_error;
using Variables = std::vector<Variable>;

/// What stands between two ops.
using Link = Variable (*)(const Variable&);
Variable directly(const Variable& x) {
  return x;
}
Variable written_out(const Variable& x) {
  return Variable::result(x.value(), {x},
                          [](const Tensor& grad, InputGrads& inputs) { inputs.add(0, grad); });
}

using Network = std::function<Variable(const Variables&, Link)>;

/// The value and the inputs' gradients.
std::vector<Tensor> run(const Network& network, const std::vector<Tensor>& inputs, Link link) {
  const Variables leaves = testing::gradient_check::variables(inputs, true);
  Variable y = network(leaves, link);
  std::vector<Tensor> results{y.value()};
  y.backward(random_tensor(y.shape(), 99));
  for (const Variable& leaf : leaves) results.push_back(leaf.grad());
  return results;
}

void expect_same_as_written_out(const Network& network, const std::vector<Tensor>& inputs) {
  const auto expected = run(network, inputs, written_out), actual = run(network, inputs, directly);
  EXPECT_LE(relative_error(actual[0], expected[0]), 1e-5);
  for (size_t i = 1; i < expected.size(); ++i) {
    ASSERT_TRUE(actual[i].defined()) << "input " << i - 1;
    EXPECT_LE(relative_error(actual[i], expected[i]), 1e-5) << "gradient of input " << i - 1;
  }
}

ops::BatchNormState state_for(int64_t channels) {
  return {.running_mean = random_tensor({channels}, 10, -0.5f, 0.5f),
          .running_var = random_tensor({channels}, 11, 0.5f, 2)};
}

/// With its moments from the convolution in training, as the model does.
Variable conv_batch_norm(const Variable& x, const Variable& weight, const ops::Conv2dParams& params,
                         const Variable& gamma, const Variable& beta, bool training,
                         Activation activation, Link link = directly) {
  ops::ChannelMoments moments;
  const Variable y = link(ops::conv2d(x, weight, params, training ? &moments : nullptr));
  ops::BatchNormState state = state_for(y.shape().back());
  return link(
      ops::batch_norm(y, gamma, beta, state, training, activation, training ? &moments : nullptr));
}

// ReLU6 clips some at both ends.
Tensor gamma_of(int64_t channels) {
  return random_tensor({channels}, 2, 2, 4);
}
Tensor beta_of(int64_t channels) {
  return random_tensor({channels}, 3, 1, 3);
}

constexpr int64_t kChannels = 6;  ///< of all that is normalised below

struct Conv {
  const char* name;
  Shape weight;
  ops::Conv2dParams params;
  int64_t in_channels() const { return weight[1] * params.groups; }
};
const Conv kFirst[] = {
    {"Pointwise", {kChannels, 5, 1, 1}, {}},
    {"Depthwise", {kChannels, 1, 3, 3}, {.padding = 1, .groups = kChannels}},
    {"DepthwiseStrideTwo", {kChannels, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = kChannels}},
    {"Full", {kChannels, 3, 3, 3}, {.padding = 1}},
    {"StridedShortcut", {kChannels, 5, 1, 1}, {.stride = 2}}};
const Conv kSecond[] = {
    {"Pointwise", {5, kChannels, 1, 1}, {}},
    {"Depthwise", {kChannels, 1, 3, 3}, {.padding = 1, .groups = kChannels}},
    {"DepthwiseStrideTwo", {kChannels, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = kChannels}},
    {"Depthwise5x5", {kChannels, 1, 5, 5}, {.padding = 2, .groups = kChannels}},
    {"Depthwise5x5StrideTwo",
     {kChannels, 1, 5, 5},
     {.stride = 2, .padding = 2, .groups = kChannels}},
    {"StridedShortcut", {4, kChannels, 1, 1}, {.stride = 2}},
    {"FullStrideTwo", {4, kChannels, 3, 3}, {.stride = 2, .padding = 1}},
    {"Grouped", {4, 3, 1, 1}, {.groups = 2}}};

/// (first convolution, second convolution, training)
class ConvBatchNormConv : public ::testing::TestWithParam<std::tuple<Conv, Conv, bool>> {
 protected:
  std::vector<Tensor> inputs(int64_t batch, int64_t height, int64_t width) const {
    const auto& [first, second, training] = GetParam();
    return {random_tensor({batch, height, width, first.in_channels()}, 1),
            random_tensor(first.weight, 4), gamma_of(kChannels), beta_of(kChannels),
            random_tensor(second.weight, 5)};
  }
};

/// Up to the batch norm.
Variable front(const Conv& conv, bool training, const Variables& in, Activation activation,
               Link link = directly) {
  return conv_batch_norm(in[0], in[1], conv.params, in[2], in[3], training, activation, link);
}

TEST_P(ConvBatchNormConv, GradientsMatchFiniteDifferences) {
  const auto& [first, second, training] = GetParam();
  EXPECT_TRUE(testing::gradients_match(
      {.function =
           [first = first, second = second, training = training](const Variables& in) {
             return ops::conv2d(front(first, training, in, Activation::relu6), in[4],
                                second.params);
           },
       .inputs = inputs(2, 3, 4),
       .pre_activation =
           [first = first, training = training](const Variables& in) {
             return front(first, training, in, Activation::none);
           }}));
}

TEST_P(ConvBatchNormConv, IsWhatItIsWithTensors) {
  const auto& [first, second, training] = GetParam();
  for (const Activation activation : values_in(kActivations)) {
    expect_same_as_written_out(
        [=, first = first, second = second, training = training](const Variables& in, Link link) {
          return ops::conv2d(front(first, training, in, activation, link), in[4], second.params);
        },
        inputs(3, 9, 7));
  }
}

INSTANTIATE_TEST_SUITE_P(, ConvBatchNormConv,
                         ::testing::Combine(::testing::ValuesIn(kFirst),
                                            ::testing::ValuesIn(kSecond), ::testing::Bool()),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "Then" +
                                  std::get<1>(test.param).name +
                                  (std::get<2>(test.param) ? "Training" : "Evaluation");
                         });

/// Each kind of convolution in front of a batch norm.
class ConvMoments : public ::testing::TestWithParam<Conv> {};

TEST_P(ConvMoments, AreThoseOfTheOutput) {
  const Conv& conv = GetParam();
  const Variable x(random_tensor({3, 9, 7, conv.in_channels()}, 1)),
      weight(random_tensor(conv.weight, 2));
  ops::ChannelMoments moments;
  const Variable y = ops::conv2d(x, weight, conv.params, &moments);
  EXPECT_EQ(moments.mean.shape(), (Shape{conv.weight[0]}));
  EXPECT_EQ(moments.variance.shape(), (Shape{conv.weight[0]}));
  testing::expect_moments_of(y.value(), moments.mean, moments.variance);
  EXPECT_LE(relative_error(ops::conv2d(x, weight, conv.params).value(), y.value()), 1e-6);
}

TEST_P(ConvMoments, GiveTheSameBatchNorm) {
  const Conv& conv = GetParam();
  const int64_t channels = conv.weight[0];
  const std::vector<Tensor> inputs{random_tensor({3, 9, 7, conv.in_channels()}, 1),
                                   random_tensor(conv.weight, 4), gamma_of(channels),
                                   beta_of(channels)};
  const auto run_with = [&](bool known, ops::BatchNormState& state) {
    return run(
        [&](const Variables& in, Link) {
          ops::ChannelMoments moments;
          const Variable y = ops::conv2d(in[0], in[1], conv.params, known ? &moments : nullptr);
          return ops::batch_norm(y, in[2], in[3], state, true, Activation::relu6,
                                 known ? &moments : nullptr);
        },
        inputs, directly);
  };
  ops::BatchNormState state = state_for(channels), expected_state = state_for(channels);
  const auto actual = run_with(true, state), expected = run_with(false, expected_state);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(relative_error(actual[i], expected[i]), 1e-5) << "result " << i;
  }
  EXPECT_LE(relative_error(state.running_mean, expected_state.running_mean), 1e-6);
  EXPECT_LE(relative_error(state.running_var, expected_state.running_var), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(, ConvMoments, ::testing::ValuesIn(kSecond),
                         [](const auto& test) { return test.param.name; });

/// Networks around batch norms of one input [...,6]: in[0] is the input, in[1] and in[2] one batch
/// norm's parameters, in[3] and in[4] another's, in[5] and in[6] a pointwise and a depthwise
/// weight.
class AroundBatchNorm : public ::testing::TestWithParam<bool> {
 protected:
  static Variable norm(const Variables& in, const Variable& x, int which, Activation activation) {
    ops::BatchNormState state = state_for(kChannels);
    return ops::batch_norm(x, in[2 * which - 1], in[2 * which], state, GetParam(), activation);
  }
  static Variable pointwise(const Variables& in, const Variable& x) {
    return ops::conv2d(x, in[5], {});
  }
  static Variable depthwise(const Variables& in, const Variable& x) {
    return ops::conv2d(x, in[6], {.padding = 1, .groups = kChannels});
  }

  static std::vector<Tensor> inputs(int64_t batch, int64_t height, int64_t width) {
    return {random_tensor({batch, height, width, kChannels}, 1),
            gamma_of(kChannels),
            beta_of(kChannels),
            random_tensor({kChannels}, 4, 1, 2),
            random_tensor({kChannels}, 5, -1, 1),
            random_tensor({kChannels, kChannels, 1, 1}, 6),
            random_tensor({kChannels, 1, 3, 3}, 7)};
  }

  using ActivatedNetwork = std::function<Variable(const Variables&, Link, Activation)>;

  /// Where nothing is clipped.
  static void expect_right_gradients(const ActivatedNetwork& network) {
    EXPECT_TRUE(testing::gradients_match({.function =
                                              [&](const Variables& in) {
                                                const Variable y =
                                                    network(in, directly, Activation::none);
                                                return ops::add(y, touch_all(in, y.shape()));
                                              },
                                          .inputs = inputs(1, 3, 4)}));
  }
  static void expect_same(const ActivatedNetwork& network, Activation activation) {
    expect_same_as_written_out(
        [&](const Variables& in, Link link) {
          const Variable y = network(in, link, activation);
          return ops::add(y, touch_all(in, y.shape()));
        },
        inputs(3, 9, 7));
  }
  static void expect_right(const ActivatedNetwork& network) {
    expect_right_gradients(network);
    expect_same(network, Activation::none);
    expect_same(network, Activation::relu6);
  }

 private:
  /// Zero, but with a gradient for inputs that a network does not use.
  static Variable touch_all(const Variables& in, const Shape& shape) {
    return Variable::result(Tensor(shape, 0.0f), in, [in](const Tensor&, InputGrads& inputs) {
      for (size_t i = 0; i < in.size(); ++i) inputs.add(i, Tensor(in[i].shape(), 0.0f));
    });
  }
};

TEST_P(AroundBatchNorm, TwoConvolutionsReadOne) {
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable y = link(norm(in, in[0], 1, activation));
    return ops::add(link(pointwise(in, y)), link(depthwise(in, y)));
  });
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable y = link(norm(in, in[0], 1, activation));
    return ops::add(link(depthwise(in, y)), link(pointwise(in, y)));
  });
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable y = link(norm(in, in[0], 1, activation));
    return ops::add(link(pointwise(in, y)), link(pointwise(in, y)));
  });
}

TEST_P(AroundBatchNorm, AConvolutionAndAnAddReadOne) {
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable y = link(norm(in, in[0], 1, activation));
    return ops::add(y, link(pointwise(in, y)));
  });
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable y = link(norm(in, in[0], 1, activation));
    return ops::add(link(depthwise(in, y)), y);
  });
}

TEST_P(AroundBatchNorm, AnAddReadsTwo) {
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable a = link(norm(in, in[0], 1, activation)),
                   b = link(norm(in, in[0], 2, Activation::none));
    return depthwise(in, link(ops::add(a, b)));
  });
}

TEST_P(AroundBatchNorm, AResidualBlockEndsInOne) {
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable start = link(norm(in, in[0], 1, activation)),
                   end = link(norm(in, link(pointwise(in, start)), 2, Activation::none));
    return depthwise(in, link(ops::add(start, end)));
  });
}

TEST_P(AroundBatchNorm, ABatchNormReadsOne) {
  // (Two in a row without ReLU6 are one: the first one's gradients vanish.)
  expect_same(
      [](const Variables& in, Link link, Activation activation) {
        const Variable y = link(norm(in, in[0], 1, activation));
        return pointwise(in, link(norm(in, y, 2, Activation::none)));
      },
      Activation::relu6);
}

TEST_P(AroundBatchNorm, OneReadsAnAddWhoseTermsAreReadElsewhere) {
  // Both terms get the same lazy gradient, and each one something else.
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable a = link(pointwise(in, in[0])), b = link(depthwise(in, in[0]));
    const Variable y = link(norm(in, link(ops::add(a, b)), 1, activation));
    return ops::add(link(ops::add(depthwise(in, a), pointwise(in, b))), y);
  });
  expect_right([](const Variables& in, Link link, Activation activation) {
    const Variable a = link(pointwise(in, in[0])), b = link(depthwise(in, in[0]));
    const Variable y = link(norm(in, link(ops::add(a, b)), 1, activation));
    return ops::add(y, link(ops::add(depthwise(in, a), pointwise(in, b))));
  });
}

INSTANTIATE_TEST_SUITE_P(, AroundBatchNorm, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Training" : "Evaluation"; });

}  // namespace
}  // namespace edgeprune
