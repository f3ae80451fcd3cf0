#include "engine/ops/conv2d.h"

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/batch_norm.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/direct_conv2d.h"
#include "engine/kernels/simd/pointwise.h"

namespace edgeprune::ops {
namespace {

Conv2dShape checked_shape(const Shape& input, const Shape& weight, const Conv2dParams& params) {
  require(input.rank() == 4 && weight.rank() == 4, "conv2d",
          "expected input [N,H,W,C] and weight [O,I,k,k] (input {}, weight {})", input, weight);
  require(params.stride >= 1 && params.padding >= 0 && params.groups >= 1, "conv2d",
          "stride {}, padding {}, groups {} make no sense (input {}, weight {})", params.stride,
          params.padding, params.groups, input, weight);
  require(input[3] == weight[1] * params.groups, "conv2d",
          "input has {} channels, weight expects {} (input {}, weight {})", input[3],
          weight[1] * params.groups, input, weight);
  require(weight[0] % params.groups == 0, "conv2d",
          "{} output channels do not divide into {} groups (input {}, weight {})", weight[0],
          params.groups, input, weight);
  require(weight[2] == weight[3], "conv2d", "expected a square kernel (input {}, weight {})", input,
          weight);
  require(input.count() > 0 && weight.count() > 0, "conv2d", "nothing to do (input {}, weight {})",
          input, weight);
  require(input[1] + 2 * params.padding >= weight[2] && input[2] + 2 * params.padding >= weight[2],
          "conv2d", "the {}x{} kernel is larger than the padded input (input {}, weight {})",
          weight[2], weight[3], input, weight);
  return {.batch = input[0],
          .in_height = input[1],
          .in_width = input[2],
          .in_channels = input[3],
          .out_channels = weight[0],
          .kernel = weight[2],
          .stride = params.stride,
          .padding = params.padding,
          .groups = params.groups};
}

/// For the profiler. A backward pass computes the gradient of the input or of the weight at the
/// same cost each.
const char* family(const Conv2dShape& shape) {
  return shape.depthwise() ? "depthwise" : shape.pointwise() ? "pointwise" : "convolution";
}
Cost cost(const Conv2dShape& shape) {
  return {
      2.0 * double(shape.multiply_adds()),
      sizeof(float) * double(shape.input_count() + shape.output_count() + shape.weight_count())};
}

/// Both gradients in one pass, which reads each activation once and each gradient once.
Cost backward_cost(const Conv2dShape& shape, const InputGrads& inputs) {
  const Cost one = cost(shape);
  const bool both = inputs.wanted(0) && inputs.wanted(1);
  const double activations = 2.0 * double(shape.input_count() + shape.output_count());
  return {both ? 2 * one.flops : one.flops, sizeof(float) * activations};
}

Moments destination(ChannelMoments* moments, int64_t channels) {
  if (moments == nullptr) return {};
  *moments = {Tensor({channels}), Tensor({channels})};
  return {moments->mean.data(), moments->variance.data()};
}

/// The gradient of a convolution's input; with what the batch norm that made the input will ask
/// for.
struct InputGradient {
  InputGradient(const LazyValue& x, const InputGrads& inputs) {
    if (!inputs.wanted(0)) return;
    grad = Tensor(x.shape());
    if (x.recipe() == nullptr) return;
    const BatchNormOutput& output = *x.recipe();
    *output.sums = {grad, Tensor(output.mean.shape()), Tensor(output.mean.shape())};
    sums = {output.mean.data(), output.sums->sum_grad.data(), output.sums->sum_grad_input.data()};
  }
  const GradientSums* wanted_sums() const { return sums.mean != nullptr ? &sums : nullptr; }

  Tensor grad;
  GradientSums sums;
};

Variable depthwise_conv2d(const Variable& input, const Variable& weight, const Conv2dShape& shape,
                          ChannelMoments* moments) {
  const Timed timed("depthwise", Phase::forward, cost(shape));
  const int64_t channels = shape.in_channels;
  Tensor taps({shape.kernel * shape.kernel, channels});
  simd::filters_to_taps(weight.value().data(), channels, taps.data(), shape.kernel);
  Tensor output({shape.batch, shape.out_height(), shape.out_width(), channels});
  const Moments to = destination(moments, channels);
  simd::depthwise_forward(shape, input.lazy_value().view(), taps.data(), output.data(),
                          moments != nullptr ? &to : nullptr);
  return Variable::result(
      output, {input, weight},
      [shape, taps, x = input.lazy_value()](const LazyGradient& grad_output, InputGrads& inputs) {
        const Timed backward("depthwise", Phase::backward, backward_cost(shape, inputs));
        const InputGradient to_input(x, inputs);
        Tensor grad_input = to_input.grad, grad_taps;
        if (inputs.wanted(1)) grad_taps = Tensor(taps.shape());
        simd::depthwise_backward(shape, grad_output.view(), x.view(), taps.data(),
                                 {grad_input.data(), to_input.wanted_sums(), grad_taps.data()});
        if (inputs.wanted(1)) {
          Tensor grad_weight({shape.in_channels, 1, shape.kernel, shape.kernel});
          simd::taps_to_filters(grad_taps.data(), shape.in_channels, grad_weight.data(),
                                shape.kernel);
          inputs.add(1, grad_weight);
        }
        if (inputs.wanted(0)) inputs.add(0, grad_input);
      });
}

Variable pointwise_conv2d(const Variable& input, const Variable& weight, const Conv2dShape& shape,
                          ChannelMoments* moments) {
  const Timed timed("pointwise", Phase::forward, cost(shape));
  const simd::PointwiseShape product{shape.batch * shape.in_height * shape.in_width,
                                     shape.in_channels, shape.out_channels};
  Tensor output({shape.batch, shape.in_height, shape.in_width, shape.out_channels});
  const Moments to = destination(moments, shape.out_channels);
  simd::pointwise_forward(product, input.lazy_value().view(), weight.value().data(), output.data(),
                          moments != nullptr ? &to : nullptr);
  return Variable::result(
      output, {input, weight},
      [shape, product, x = input.lazy_value(), w = weight.value()](const LazyGradient& grad_output,
                                                                   InputGrads& inputs) {
        const Timed backward("pointwise", Phase::backward, backward_cost(shape, inputs));
        const InputGradient to_input(x, inputs);
        Tensor grad_input = to_input.grad, grad_weight;
        if (inputs.wanted(1)) grad_weight = Tensor(w.shape());
        simd::pointwise_backward(product, grad_output.view(), x.view(), w.data(),
                                 {grad_input.data(), to_input.wanted_sums(), grad_weight.data()});
        if (inputs.wanted(1)) inputs.add(1, grad_weight);
        if (inputs.wanted(0)) inputs.add(0, grad_input);
      });
}

/// A network's first layer: no gradient of the input.
Variable first_conv2d(const Variable& input, const Variable& weight, const Conv2dShape& shape,
                      ChannelMoments* moments) {
  const Timed timed("stem", Phase::forward, cost(shape));
  Tensor output({shape.batch, shape.out_height(), shape.out_width(), shape.out_channels});
  const Moments to = destination(moments, shape.out_channels);
  simd::direct_forward(shape, input.value().data(), weight.value().data(), output.data(),
                       moments != nullptr ? &to : nullptr);
  return Variable::result(output, {input, weight},
                          [shape, x = input.value(), w = weight.value()](
                              const LazyGradient& grad_output, InputGrads& inputs) {
                            if (!inputs.wanted(1)) return;
                            const Timed backward("stem", Phase::backward, cost(shape));
                            Tensor grad_weight(w.shape());
                            simd::direct_backward_weights(shape, grad_output.view(), x.data(),
                                                          grad_weight.data());
                            inputs.add(1, grad_weight);
                          });
}

/// Backward of oneDNN's convolutions; inputs 0 and 1 are the activation and the weight.
void convolution_backward(const char* name, const Conv2dShape& shape, const Tensor& x,
                          const Tensor& w, const Tensor& grad_output, InputGrads& inputs) {
  if (inputs.wanted(1)) {
    const Timed weights(name, Phase::backward, cost(shape));
    Tensor grad_weight(w.shape());
    onednn::conv2d_backward_weights(shape, x.data(), grad_output.data(), grad_weight.data());
    inputs.add(1, grad_weight);
  }
  if (inputs.wanted(0)) {
    const Timed data(name, Phase::backward, cost(shape));
    Tensor grad_input(x.shape());
    onednn::conv2d_backward_data(shape, grad_output.data(), w.data(), grad_input.data());
    inputs.add(0, grad_input);
  }
}

/// Everything else.
Variable general_conv2d(const Variable& input, const Variable& weight, const Conv2dShape& shape,
                        ChannelMoments* moments) {
  const Timed timed(family(shape), Phase::forward, cost(shape));
  Tensor output({shape.batch, shape.out_height(), shape.out_width(), shape.out_channels});
  onednn::conv2d_forward(shape, input.value().data(), weight.value().data(), nullptr,
                         output.data());
  if (moments != nullptr) {
    simd::batch_norm_statistics(output.data(), output.count() / shape.out_channels,
                                shape.out_channels, destination(moments, shape.out_channels));
  }
  return Variable::result(output, {input, weight},
                          [shape, x = input.value(), w = weight.value()](const Tensor& grad_output,
                                                                         InputGrads& inputs) {
                            convolution_backward(family(shape), shape, x, w, grad_output, inputs);
                          });
}

Variable conv2d_without_bias(const Variable& input, const Variable& weight,
                             const Conv2dShape& shape, ChannelMoments* moments) {
  if (simd::depthwise_supported(shape)) return depthwise_conv2d(input, weight, shape, moments);
  if (shape.pointwise()) return pointwise_conv2d(input, weight, shape, moments);
  if (shape.groups == 1 && !input.requires_grad()) {
    return first_conv2d(input, weight, shape, moments);
  }
  return general_conv2d(input, weight, shape, moments);
}

/// The sums of a tensor's last axis, as the gradient of a bias is.
Tensor sum_rows(const Tensor& tensor) {
  const int64_t channels = tensor.shape().back();
  Tensor sums({channels}, 0.0f);
  // Threads share the channels, so that each one's sum is the same bits however many they are.
  constexpr int64_t kChannels = 16;  // 64 bytes of a row
  parallel_for(channels, kChannels, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = 0; row < tensor.count(); row += channels) {
      for (int64_t c = begin; c < end; ++c) sums.data()[c] += tensor.data()[row + c];
    }
  });
  return sums;
}

/// In place: nothing else holds a convolution's result yet.
Variable add_bias(Variable output, const Variable& bias, ChannelMoments* moments) {
  Tensor sum = output.value();
  const int64_t channels = bias.shape()[0];
  const float* b = bias.value().data();
  parallel_for(sum.count() / channels, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* to = sum.data() + row * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] += b[c];
    }
  });
  for (int64_t c = 0; moments != nullptr && c < channels; ++c) moments->mean.data()[c] += b[c];
  return Variable::result(sum, {output, bias},
                          [](const LazyGradient& grad_output, InputGrads& inputs) {
                            inputs.add(0, grad_output);
                            if (inputs.wanted(1)) inputs.add(1, sum_rows(grad_output));
                          });
}

}  // namespace

Variable conv2d(const Variable& input, const Variable& weight, const Conv2dParams& params,
                ChannelMoments* moments, const Variable& bias) {
  const Conv2dShape shape = checked_shape(input.shape(), weight.shape(), params);
  require(!bias.defined() || bias.shape() == Shape{shape.out_channels}, "conv2d",
          "expected a bias of [{}], got {} (input {}, weight {})", shape.out_channels, bias.shape(),
          input.shape(), weight.shape());
  const Variable output = conv2d_without_bias(input, weight, shape, moments);
  return bias.defined() ? add_bias(output, bias, moments) : output;
}

Variable linear(const Variable& input, const Variable& weight, const Variable& bias) {
  const Shape &x = input.shape(), &w = weight.shape(), &b = bias.shape();
  require(x.rank() == 2 && w.rank() == 2 && b.rank() == 1 && x[1] == w[1] && b[0] == w[0], "linear",
          "expected input [N,C], weight [O,C], bias [O] (input {}, weight {}, bias {})", x, w, b);
  // A linear layer is a 1x1 convolution on a 1x1 map.
  const Conv2dShape shape{.batch = x[0], .in_channels = x[1], .out_channels = w[0]};
  const Timed timed("head", Phase::forward, cost(shape));
  Tensor output({x[0], w[0]});
  onednn::conv2d_forward(shape, input.value().data(), weight.value().data(), bias.value().data(),
                         output.data());
  return Variable::result(output, {input, weight, bias},
                          [shape, xv = input.value(), wv = weight.value()](
                              const Tensor& grad_output, InputGrads& inputs) {
                            convolution_backward("head", shape, xv, wv, grad_output, inputs);
                            if (inputs.wanted(2)) inputs.add(2, sum_rows(grad_output));
                          });
}

}  // namespace edgeprune::ops
