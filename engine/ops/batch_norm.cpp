#include "engine/ops/batch_norm.h"

#include <cmath>

#include "engine/base/check.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/batch_norm.h"

namespace edgeprune::ops {
namespace {

constexpr const char* kFamily = "batch norm + relu6";

struct Saved {
  BatchNormOutput output;
  Tensor gamma, inverse_std;
  bool training;
};

/// sum(g) and sum(g * (x - mean)), unless the consumer of the output left them.
BatchNormOutput::Sums sums_of(const BatchNormOutput& output, const Tensor& grad_output) {
  BatchNormOutput::Sums sums = std::move(*output.sums);
  *output.sums = {};
  if (sums.grad.defined() && sums.grad.data() == grad_output.data()) return sums;
  const Tensor& x = output.x;
  const Timed timed(kFamily, Phase::backward, {0, 2.0 * sizeof(float) * double(x.count())});
  const int64_t channels = output.scale.count();
  sums = {grad_output, Tensor({channels}), Tensor({channels})};
  simd::batch_norm_backward_sums(
      output.view(), grad_output.data(), x.count() / channels, channels,
      {output.mean.data(), sums.sum_grad.data(), sums.sum_grad_input.data()});
  return sums;
}

/// With xhat = (x - mean) * inverse_std and g the gradient behind the activation:
///   grad_beta = sum(g), grad_gamma = sum(g * xhat),
///   grad_x = gamma * inverse_std * (g - mean(g) - xhat * mean(g * xhat))   in training,
///   grad_x = gamma * inverse_std * g                                       in evaluation;
/// written per channel as grad_x = a * g + b * x + c.
void backward(const Saved& s, const Tensor& grad_output, InputGrads& inputs) {
  const BatchNormOutput::Sums sums = sums_of(s.output, grad_output);
  const int64_t channels = s.gamma.count();
  const double rows = double(s.output.x.count() / channels);
  Tensor grad_gamma({channels});
  for (int64_t i = 0; i < channels; ++i) {
    grad_gamma.data()[i] = sums.sum_grad_input.data()[i] * s.inverse_std.data()[i];
  }
  if (inputs.wanted(0)) {
    Tensor a({channels}), b({channels}, 0.0f), c({channels}, 0.0f);
    for (int64_t i = 0; i < channels; ++i) {
      const double inverse_std = s.inverse_std.data()[i];
      const double slope = s.gamma.data()[i] * inverse_std;
      a.data()[i] = static_cast<float>(slope);
      if (!s.training) continue;
      const double mean_grad = sums.sum_grad.data()[i] / rows;
      const double per_x = -slope * inverse_std * (grad_gamma.data()[i] / rows);
      b.data()[i] = static_cast<float>(per_x);
      c.data()[i] = static_cast<float>(-slope * mean_grad - per_x * s.output.mean.data()[i]);
    }
    inputs.add(0, LazyGradient(BatchNormGradient{grad_output, s.output, a, b, c}));
  }
  inputs.add(1, grad_gamma);
  inputs.add(2, sums.sum_grad);
}

/// The batch's statistics, and the running ones moved towards them.
ChannelMoments training_moments(const Tensor& x, BatchNormState& state,
                                const ChannelMoments* known) {
  const int64_t channels = x.shape().back(), rows = x.count() / channels;
  ChannelMoments moments;
  if (known != nullptr) {
    moments = *known;
  } else {
    const Timed timed(kFamily, Phase::forward, {0, sizeof(float) * double(x.count())});
    moments = {Tensor({channels}), Tensor({channels})};
    simd::batch_norm_statistics(x.data(), rows, channels,
                                {moments.mean.data(), moments.variance.data()});
  }
  const float unbiased = static_cast<float>(double(rows) / double(rows - 1));
  for (int64_t c = 0; c < channels; ++c) {
    float &running_mean = state.running_mean.data()[c], &running_var = state.running_var.data()[c];
    running_mean += state.momentum * (moments.mean.data()[c] - running_mean);
    running_var += state.momentum * (moments.variance.data()[c] * unbiased - running_var);
  }
  return moments;
}

}  // namespace

Variable batch_norm(const Variable& input, const Variable& gamma, const Variable& beta,
                    BatchNormState& state, bool training, Activation activation,
                    const ChannelMoments* known) {
  const Shape& shape = input.shape();
  const Shape channel_shape{shape.rank() == 0 ? 0 : shape.back()};
  const int64_t channels = channel_shape[0];
  require(shape.count() > 0 && gamma.shape() == channel_shape && beta.shape() == channel_shape &&
              state.running_mean.shape() == channel_shape &&
              state.running_var.shape() == channel_shape &&
              (known == nullptr ||
               (known->mean.shape() == channel_shape && known->variance.shape() == channel_shape)),
          "batch_norm", "expected {} everywhere (input {}, gamma {}, beta {}, running_mean {})",
          channel_shape, shape, gamma.shape(), beta.shape(), state.running_mean.shape());
  require(!training || shape.count() > channels, "batch_norm",
          "training needs more than one value per channel, got input {}: use a larger batch",
          shape);

  const Tensor& x = input.value();
  const ChannelMoments moments = training ? training_moments(x, state, known)
                                          : ChannelMoments{state.running_mean, state.running_var};
  Tensor inverse_std(channel_shape), scale(channel_shape), shift(channel_shape);
  for (int64_t c = 0; c < channels; ++c) {
    inverse_std.data()[c] =
        static_cast<float>(1.0 / std::sqrt(double(moments.variance.data()[c]) + state.eps));
    scale.data()[c] = gamma.value().data()[c] * inverse_std.data()[c];
    shift.data()[c] = beta.value().data()[c] - moments.mean.data()[c] * scale.data()[c];
  }
  const BatchNormOutput output{x, moments.mean, scale, shift, activation};
  return Variable::result(
      LazyValue(output), {input, gamma, beta},
      [saved = Saved{output, gamma.value(), inverse_std, training}](
          const Tensor& grad_output, InputGrads& inputs) { backward(saved, grad_output, inputs); });
}

}  // namespace edgeprune::ops
