#include "engine/ops/batch_norm.h"

#include <cmath>

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/batch_norm.h"

namespace edgeprune::ops {
namespace {

constexpr const char* kFamily = "batch norm + relu6";

struct Saved {
  Tensor x, gamma, mean, inverse_std, scale, shift;
  bool training;
  Activation activation;
};

/// With xhat = (x - mean) * inverse_std and g the gradient behind the activation:
///   grad_beta = sum(g), grad_gamma = sum(g * xhat),
///   grad_x = gamma * inverse_std * (g - mean(g) - xhat * mean(g * xhat))   in training,
///   grad_x = gamma * inverse_std * g                                       in evaluation;
/// written per channel as grad_x = a * g + b * x + c.
void backward(const Saved& s, const Tensor& grad_output, InputGrads& inputs) {
  // Reads x and grad_output twice (sums, then dx) and writes dx.
  const Timed timed(kFamily, Phase::backward, {0, 5.0 * sizeof(float) * double(s.x.count())});
  const int64_t channels = s.gamma.count();
  const int64_t rows = s.x.count() / channels;
  Tensor sum_grad({channels}), sum_grad_x({channels});
  simd::batch_norm_backward_sums(s.x.data(), grad_output.data(), rows, channels, s.mean.data(),
                                 s.scale.data(), s.shift.data(), s.activation, sum_grad.data(),
                                 sum_grad_x.data());
  Tensor grad_gamma({channels});
  for (int64_t i = 0; i < channels; ++i) {
    grad_gamma.data()[i] = sum_grad_x.data()[i] * s.inverse_std.data()[i];
  }
  if (inputs.wanted(0)) {
    Tensor a({channels}), b({channels}, 0.0f), c({channels}, 0.0f);
    for (int64_t i = 0; i < channels; ++i) {
      const double inverse_std = s.inverse_std.data()[i];
      const double slope = s.gamma.data()[i] * inverse_std;
      a.data()[i] = static_cast<float>(slope);
      if (!s.training) continue;
      const double mean_grad = sum_grad.data()[i] / double(rows);
      const double per_x = -slope * inverse_std * (grad_gamma.data()[i] / double(rows));
      b.data()[i] = static_cast<float>(per_x);
      c.data()[i] = static_cast<float>(-slope * mean_grad - per_x * s.mean.data()[i]);
    }
    Tensor grad_x(s.x.shape());
    simd::batch_norm_backward_data(s.x.data(), grad_output.data(), rows, channels, s.scale.data(),
                                   s.shift.data(), s.activation, a.data(), b.data(), c.data(),
                                   grad_x.data());
    inputs.add(0, grad_x);
  }
  inputs.add(1, grad_gamma);
  inputs.add(2, sum_grad);
}

}  // namespace

Variable batch_norm(const Variable& input, const Variable& gamma, const Variable& beta,
                    BatchNormState& state, bool training, Activation activation) {
  const Shape& shape = input.shape();
  const Shape channel_shape{shape.rank() == 0 ? 0 : shape.back()};
  const int64_t channels = channel_shape[0];
  require(shape.count() > 0 && gamma.shape() == channel_shape && beta.shape() == channel_shape &&
              state.running_mean.shape() == channel_shape &&
              state.running_var.shape() == channel_shape,
          "batch_norm", "expected {} everywhere (input {}, gamma {}, beta {}, running_mean {})",
          channel_shape.to_string(), shape.to_string(), gamma.shape().to_string(),
          beta.shape().to_string(), state.running_mean.shape().to_string());
  const int64_t rows = shape.count() / channels;
  require(!training || rows > 1, "batch_norm",
          "training needs more than one value per channel, got input {}: use a larger batch",
          shape.to_string());

  // Reads x twice (statistics, then normalise) and writes y.
  const Timed timed(kFamily, Phase::forward, {0, 3.0 * sizeof(float) * double(shape.count())});
  const Tensor& x = input.value();
  Tensor mean = state.running_mean, variance = state.running_var;
  if (training) {
    mean = Tensor(channel_shape);
    variance = Tensor(channel_shape);
    simd::batch_norm_statistics(x.data(), rows, channels, mean.data(), variance.data());
    const float unbiased = static_cast<float>(double(rows) / double(rows - 1));
    for (int64_t c = 0; c < channels; ++c) {
      float &running_mean = state.running_mean.data()[c],
            &running_var = state.running_var.data()[c];
      running_mean += state.momentum * (mean.data()[c] - running_mean);
      running_var += state.momentum * (variance.data()[c] * unbiased - running_var);
    }
  }
  Tensor inverse_std(channel_shape), scale(channel_shape), shift(channel_shape);
  for (int64_t c = 0; c < channels; ++c) {
    inverse_std.data()[c] =
        static_cast<float>(1.0 / std::sqrt(double(variance.data()[c]) + state.eps));
    scale.data()[c] = gamma.value().data()[c] * inverse_std.data()[c];
    shift.data()[c] = beta.value().data()[c] - mean.data()[c] * scale.data()[c];
  }
  Tensor output(shape);
  simd::scale_shift(x.data(), rows, channels, scale.data(), shift.data(), activation,
                    output.data());
  return Variable::result(
      output, {input, gamma, beta},
      [saved = Saved{x, gamma.value(), mean, inverse_std, scale, shift, training, activation}](
          const Tensor& grad_output, InputGrads& inputs) { backward(saved, grad_output, inputs); });
}

}  // namespace edgeprune::ops
