#include "engine/ops/elementwise.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/base/profiler.h"
#include "engine/kernels/simd/batch_norm.h"
#include "engine/kernels/simd/elementwise.h"

namespace edgeprune::ops {
namespace {
constexpr int64_t kGrain = 4096;  // elements, so that a thread has microseconds of work
}

Variable activate(const Variable& input, Activation activation) {
  if (activation == Activation::none) return input;
  const Tensor& x = input.value();
  const Cost cost{0, 2.0 * sizeof(float) * double(x.count())};
  const Timed timed("activation", Phase::forward, cost);
  Tensor output(x.shape());
  simd::activate(activation, x.data(), x.count(), output.data());
  return Variable::result(output, {input},
                          [x, activation, cost](const Tensor& grad_output, InputGrads& inputs) {
                            const Timed backward("activation", Phase::backward, cost);
                            Tensor grad_input(x.shape());
                            simd::activation_gradient(activation, x.data(), grad_output.data(),
                                                      x.count(), grad_input.data());
                            inputs.add(0, grad_input);
                          });
}

Variable add(const Variable& a, const Variable& b) {
  require(a.shape() == b.shape(), "add", "shapes differ: {} and {}", a.shape(), b.shape());
  const Timed timed("add", Phase::forward, {0, 3.0 * sizeof(float) * double(a.shape().count())});
  Tensor output(a.shape());
  const int64_t channels = a.shape().rank() == 0 ? 1 : std::max<int64_t>(1, a.shape().back());
  simd::add(a.lazy_value().view(), b.lazy_value().view(), output.count() / channels, channels,
            output.data());
  return Variable::result(output, {a, b}, [](const LazyGradient& grad_output, InputGrads& inputs) {
    inputs.add(0, grad_output);
    inputs.add(1, grad_output);
  });
}

Variable multiply(const Variable& input, const Variable& factors) {
  const Shape &x = input.shape(), &f = factors.shape();
  require(
      x.rank() == 4 && x.count() > 0 && (f == Shape{x[0], x[3]} || f == Shape{x[0], 1, 1, x[3]}),
      "multiply", "expected input [N,H,W,C] and factors [N,C] (input {}, factors {})", x, f);
  const simd::ChannelMap map{x[0], x[1] * x[2], x[3]};
  const Cost cost{0, 2.0 * sizeof(float) * double(x.count())};
  const Timed timed("multiply", Phase::forward, cost);
  Tensor output(x);
  simd::scale_channels(map, input.value().data(), factors.value().data(), output.data());
  return Variable::result(
      output, {input, factors},
      [map, cost, xv = input.value(), fv = factors.value()](const Tensor& grad_output,
                                                            InputGrads& inputs) {
        const Timed backward("multiply", Phase::backward, cost);
        if (inputs.wanted(0)) {
          Tensor grad_input(xv.shape());
          simd::scale_channels(map, grad_output.data(), fv.data(), grad_input.data());
          inputs.add(0, grad_input);
        }
        if (inputs.wanted(1)) {
          Tensor grad_factors(fv.shape());
          simd::scale_channels_gradient(map, xv.data(), grad_output.data(), grad_factors.data());
          inputs.add(1, grad_factors);
        }
      });
}

Variable reshape(const Variable& input, const Shape& shape) {
  require(input.shape().count() == shape.count(), "reshape", "{} values do not fit {} (from {})",
          input.shape().count(), shape, input.shape());
  return Variable::result(input.value().reshape(shape), {input},
                          [from = input.shape()](const Tensor& grad_output, InputGrads& inputs) {
                            inputs.add(0, grad_output.reshape(from));
                          });
}

Variable dropout(const Variable& input, float rate, bool training, Rng& rng) {
  require(rate >= 0.0f && rate < 1.0f, "dropout", "expected a rate in [0,1), got {}", rate);
  if (!training || rate == 0.0f) return input;
  Tensor factors(input.shape());
  const uint64_t key = rng.bits();
  const auto dropped = static_cast<uint64_t>(double(rate) * 0x1.0p32);
  parallel_for(input.shape().count(), kGrain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const bool drop = Rng::mix(key + static_cast<uint64_t>(i)) >> 32 < dropped;
      factors.data()[i] = drop ? 0.0f : 1.0f / (1.0f - rate);
    }
  });
  const auto scaled = [factors](const Tensor& tensor) {
    Tensor result(tensor.shape());
    parallel_for(tensor.count(), kGrain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        result.data()[i] = tensor.data()[i] * factors.data()[i];
      }
    });
    return result;
  };
  return Variable::result(scaled(input.value()), {input},
                          [scaled](const Tensor& grad_output, InputGrads& inputs) {
                            inputs.add(0, scaled(grad_output));
                          });
}

}  // namespace edgeprune::ops
