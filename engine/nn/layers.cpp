#include "engine/nn/layers.h"

#include <cmath>

namespace edgeprune::nn {

Conv2d::Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel,
               ops::Conv2dParams conv_params, bool with_bias)
    : weight(Tensor({out_channels, in_channels / conv_params.groups, kernel, kernel}, 0.0f), true),
      params(conv_params) {
  add_parameter("weight", weight);
  if (!with_bias) return;
  bias = Variable(Tensor({out_channels}, 0.0f), true);
  add_parameter("bias", bias);
}

void Conv2d::draw(Rng& rng) {
  Tensor& value = weight.value();
  const double fan_out = double(value.dim(0) * value.dim(2) * value.dim(3)) / double(params.groups);
  const float deviation = static_cast<float>(std::sqrt(2.0 / fan_out));
  for (float& w : value.values()) w = deviation * rng.normal();
}

BatchNorm2d::BatchNorm2d(int64_t channels, Activation fused)
    : weight(Tensor({channels}, 1.0f), true),
      bias(Tensor({channels}, 0.0f), true),
      state{.running_mean = Tensor({channels}, 0.0f), .running_var = Tensor({channels}, 1.0f)},
      activation(fused) {
  add_parameter("weight", weight);
  add_parameter("bias", bias);
  add_buffer("running_mean", state.running_mean);
  add_buffer("running_var", state.running_var);
  add_counter("num_batches_tracked", num_batches_tracked);
}

Variable BatchNorm2d::forward(const Variable& input, const ops::ChannelMoments* moments) {
  if (training()) ++num_batches_tracked;
  return ops::batch_norm(input, weight, bias, state, training(), activation, moments);
}

Linear::Linear(int64_t in_features, int64_t out_features)
    : weight(Tensor({out_features, in_features}, 0.0f), true),
      bias(Tensor({out_features}, 0.0f), true) {
  add_parameter("weight", weight);
  add_parameter("bias", bias);
}

void Linear::draw(Rng& rng) {
  const float bound = static_cast<float>(1.0 / std::sqrt(double(weight.value().dim(1))));
  for (float& w : weight.value().values()) w = rng.uniform(-bound, bound);
  for (float& b : bias.value().values()) b = rng.uniform(-bound, bound);
}

}  // namespace edgeprune::nn
