#pragma once
// A convolution's training kernels (engine/kernels/simd/{pointwise,depthwise}.h) against the plain
// loops, on tensors whose batch norm is written out first.

#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/through_batch_norm.h"

namespace edgeprune::testing {

/// Random arguments of a layer's kernels and what these should compute.
struct TrainingLayer {
  TrainingLayer(const Conv2dShape& s, Read input_read, Read grad_read)
      : shape(s),
        input({s.batch, s.in_height, s.in_width, s.in_channels}, input_read, 1),
        weights(random_tensor({s.out_channels, s.in_channels / s.groups, s.kernel, s.kernel}, 2)),
        grad({s.batch, s.out_height(), s.out_width(), s.out_channels}, grad_read, 3),
        mean(random_tensor({s.in_channels}, 4)),
        description(fmt::format("{}, input {}, gradient {}", ::testing::PrintToString(s),
                                to_string(input_read), to_string(grad_read))) {}

  Tensor expected_output() const {
    Tensor result(grad.data.shape());
    reference::conv2d_forward(shape, input.written_out().data(), weights.data(), nullptr, nullptr,
                              Activation::none, result.data());
    return result;
  }
  Tensor expected_grad_input() const {
    Tensor result(input.data.shape());
    reference::conv2d_backward_data(shape, grad.written_out().data(), weights.data(),
                                    result.data());
    return result;
  }
  Tensor expected_grad_weights() const {
    Tensor result(weights.shape());
    reference::conv2d_backward_weights(shape, input.written_out().data(), grad.written_out().data(),
                                       result.data());
    return result;
  }

  Conv2dShape shape;
  NormalizedTensor input;
  Tensor weights;
  NormalizedGradientTensor grad;
  Tensor mean;  ///< of the input, as far as GradientSums are concerned
  std::string description;
};

/// All weights and their gradients [O,I/groups,k,k]; what is null is not wanted.
struct TrainingKernels {
  std::function<void(const TrainingLayer&, float* output, const Moments*)> forward;
  std::function<void(const TrainingLayer&, float* grad_input, const GradientSums*,
                     float* grad_weights)>
      backward;
};

/// Undefined where it was not wanted.
struct ForwardResult {
  Tensor output, mean, variance;
};
inline ForwardResult run_forward(const TrainingKernels& kernels, const TrainingLayer& layer,
                                 bool with_moments = true) {
  const Shape channels{layer.shape.out_channels};
  Output output(layer.grad.data.shape()), mean(channels), variance(channels);
  const Moments moments{mean.data(), variance.data()};
  kernels.forward(layer, output.data(), with_moments ? &moments : nullptr);
  if (!with_moments) return {.output = output.written(), .mean = {}, .variance = {}};
  return {output.written(), mean.written(), variance.written()};
}

struct Wanted {
  bool grad_input = true, sums = true, grad_weights = true;
};
/// Undefined where it was not wanted; the sums just for a normalised input.
struct BackwardResult {
  Tensor grad_input, grad_weights, sum_grad, sum_grad_input;
};
inline BackwardResult run_backward(const TrainingKernels& kernels, const TrainingLayer& layer,
                                   const Wanted& wanted = {}) {
  const bool with_sums = wanted.sums && layer.input.scale.defined();
  const Shape channels{layer.shape.in_channels};
  Output grad_input(layer.input.data.shape()), grad_weights(layer.weights.shape()),
      sum_grad(channels), sum_grad_input(channels);
  const GradientSums sums{layer.mean.data(), sum_grad.data(), sum_grad_input.data()};
  kernels.backward(layer, wanted.grad_input ? grad_input.data() : nullptr,
                   with_sums ? &sums : nullptr,
                   wanted.grad_weights ? grad_weights.data() : nullptr);
  BackwardResult result;
  if (wanted.grad_input) result.grad_input = grad_input.written();
  if (wanted.grad_weights) result.grad_weights = grad_weights.written();
  if (with_sums) {
    result.sum_grad = sum_grad.written();
    result.sum_grad_input = sum_grad_input.written();
  }
  return result;
}

constexpr double kKernelTolerance = 1e-5;

inline void expect_forward_matches(const TrainingKernels& kernels, const TrainingLayer& layer) {
  SCOPED_TRACE(layer.description);
  const Tensor expected = layer.expected_output();
  const ForwardResult actual = run_forward(kernels, layer);
  EXPECT_LE(relative_error(actual.output, expected), kKernelTolerance);
  expect_moments_of(actual.output, actual.mean, actual.variance);
  EXPECT_LE(relative_error(run_forward(kernels, layer, false).output, expected), kKernelTolerance);
}

inline void expect_sums_match(const TrainingLayer& layer, const BackwardResult& actual) {
  if (!actual.sum_grad.defined()) return;
  expect_gradient_sums_of(layer.input, layer.mean, actual.grad_input, actual.sum_grad,
                          actual.sum_grad_input);
}

inline void expect_backward_matches(const TrainingKernels& kernels, const TrainingLayer& layer,
                                    const std::vector<Wanted>& all_wanted = {Wanted{}}) {
  SCOPED_TRACE(layer.description);
  const Tensor grad_input = layer.expected_grad_input(),
               grad_weights = layer.expected_grad_weights();
  for (const Wanted& wanted : all_wanted) {
    const BackwardResult actual = run_backward(kernels, layer, wanted);
    if (wanted.grad_input) {
      EXPECT_LE(relative_error(actual.grad_input, grad_input), kKernelTolerance);
    }
    if (wanted.grad_weights) {
      EXPECT_LE(relative_error(actual.grad_weights, grad_weights), kKernelTolerance);
    }
    expect_sums_match(layer, actual);
  }
}

/// Without the others, that is; the sums go with the input's gradient.
inline void expect_each_gradient_comes_alone(const TrainingKernels& kernels,
                                             const Conv2dShape& shape) {
  for (const auto& [input, grad] : all_read_pairs()) {
    expect_backward_matches(kernels, {shape, input, grad},
                            {{true, false, false},
                             {true, true, false},
                             {true, false, true},
                             {false, false, true},
                             {false, false, false}});
  }
}

inline void expect_repeats_with_any_thread_count(const TrainingKernels& kernels,
                                                 const Conv2dShape& shape) {
  const TrainingLayer layer(shape, Read::clipped, Read::clipped);
  SCOPED_TRACE(layer.description);
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    const ForwardResult forward = run_forward(kernels, layer);
    const BackwardResult backward = run_backward(kernels, layer);
    expect_moments_of(forward.output, forward.mean, forward.variance);
    expect_sums_match(layer, backward);
    return std::vector<Tensor>{forward.output,         backward.grad_input, backward.grad_weights,
                               forward.mean,           forward.variance,    backward.sum_grad,
                               backward.sum_grad_input};
  };
  const auto one = run(1);
  for (const int threads : {1, 2, 3}) {
    const auto some = run(threads), again = run(threads);
    for (size_t i = 0; i < some.size(); ++i) {
      EXPECT_TRUE(identical(some[i], again[i])) << threads << " threads, result " << i;
    }
    for (size_t i = 0; i < 3; ++i) EXPECT_LE(relative_error(some[i], one[i]), kKernelTolerance);
  }
}

/// Work space comes from a pool (engine/base/buffer.h): after a pass over NaNs it is full of them.
inline void expect_nothing_left_in_recycled_memory(const TrainingKernels& kernels,
                                                   const Conv2dShape& shape) {
  TrainingLayer poison(shape, Read::normalized, Read::normalized);
  poison.input.data.fill(NAN);
  poison.weights.fill(NAN);
  poison.grad.data.fill(NAN);
  for (const int threads : {1, 2}) {
    const ThreadScope scope(threads);
    run_forward(kernels, poison);
    run_backward(kernels, poison);
  }
  expect_forward_matches(kernels, {shape, Read::clipped, Read::clipped});
  expect_backward_matches(kernels, {shape, Read::clipped, Read::clipped});
}

}  // namespace edgeprune::testing
