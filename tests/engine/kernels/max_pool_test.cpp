#include "engine/kernels/simd/max_pool.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "tests/support/conv_shapes.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::Output;
using testing::random_tensor;

/// By plain loops, as PyTorch's documentation and its kernel's comparison have it.
struct Expected {
  Expected(const Conv2dShape& s, const Tensor& x, const Tensor& grad)
      : output(grad.shape()), taps(grad.shape()), grad_input(x.shape(), 0.0f) {
    const int64_t channels = s.in_channels;
    for (int64_t i = 0; i < output.count(); ++i) {
      const int64_t c = i % channels, pixel = i / channels, ow = pixel % s.out_width(),
                    oh = pixel / s.out_width() % s.out_height(),
                    n = pixel / s.out_width() / s.out_height();
      int64_t chosen = -1;
      for (int64_t k = 0; k < s.kernel * s.kernel; ++k) {
        const int64_t h = oh * s.stride - s.padding + k / s.kernel,
                      w = ow * s.stride - s.padding + k % s.kernel;
        if (h < 0 || h >= s.in_height || w < 0 || w >= s.in_width) continue;
        const int64_t at = ((n * s.in_height + h) * s.in_width + w) * channels + c;
        const float value = x.data()[at];
        if (chosen >= 0 && !(value > x.data()[chosen]) && !std::isnan(value)) continue;
        chosen = at;
        taps.data()[i] = static_cast<float>(k);
      }
      output.data()[i] = x.data()[chosen];
      grad_input.data()[chosen] += grad.data()[i];
    }
  }
  Tensor output, taps, grad_input;
};

Conv2dShape pool_shape(int64_t batch, int64_t height, int64_t width, int64_t channels,
                       int64_t kernel, int64_t stride, int64_t padding) {
  return {batch, height, width, channels, channels, kernel, stride, padding, channels};
}

std::vector<Conv2dShape> pool_shapes() {
  std::vector<Conv2dShape> result{pool_shape(1, 112, 112, 64, 3, 2, 1)};  // ResNet's
  for (const int64_t channels : {1, 3, 8, 17, 33}) {
    for (const auto& [kernel, stride, padding] :
         {std::tuple{3, 2, 1}, {2, 2, 0}, {3, 1, 1}, {1, 1, 0}, {2, 3, 1}, {5, 2, 2}}) {
      for (const auto& [height, width] : {std::pair{5, 7}, {6, 3}, {9, 9}}) {
        if (height + 2 * padding < kernel || width + 2 * padding < kernel) continue;
        result.push_back(pool_shape(2, height, width, channels, kernel, stride, padding));
      }
    }
  }
  result.push_back(pool_shape(1, 1, 1, 5, 2, 2, 1));
  return result;
}

class SimdMaxPool : public testing::OnEveryTarget {
 protected:
  static void expect_matches(const Conv2dShape& s, const Tensor& x) {
    SCOPED_TRACE(::testing::PrintToString(s));
    const Tensor grad = random_tensor({s.batch, s.out_height(), s.out_width(), s.in_channels}, 2);
    const Expected expected(s, x, grad);
    Output output(grad.shape()), without_taps(grad.shape()), taps(grad.shape()),
        grad_input(x.shape());
    simd::max_pool(s, x.data(), output.data(), taps.data());
    simd::max_pool(s, x.data(), without_taps.data(), nullptr);
    const Tensor chosen = taps.written();
    simd::max_pool_backward(s, grad.data(), chosen.data(), grad_input.data());
    EXPECT_TRUE(identical(output.written(), expected.output));
    EXPECT_TRUE(identical(without_taps.written(), expected.output));
    EXPECT_TRUE(identical(chosen, expected.taps));
    EXPECT_LE(testing::relative_error(grad_input.written(), expected.grad_input), 1e-6);
  }
  static Shape input_shape(const Conv2dShape& s) {
    return {s.batch, s.in_height, s.in_width, s.in_channels};
  }
};

TEST_P(SimdMaxPool, MatchesThePlainLoops) {
  for (const Conv2dShape& s : pool_shapes()) expect_matches(s, random_tensor(input_shape(s), 1));
}

TEST_P(SimdMaxPool, OfEqualValuesTheFirstCounts) {
  for (const Conv2dShape& s : pool_shapes()) {
    Tensor x = random_tensor(input_shape(s), 1, -2, 2);
    for (float& value : x.values()) value = std::round(value);
    expect_matches(s, x);
    expect_matches(s, Tensor(x.shape(), -std::numeric_limits<float>::infinity()));
  }
}

TEST_P(SimdMaxPool, NothingNotANumberVanishes) {
  const Conv2dShape s = pool_shape(1, 4, 4, 3, 2, 2, 0);
  for (int64_t at = 0; at < s.input_count(); ++at) {
    Tensor x = random_tensor(input_shape(s), 1), output({2, 2, 3});
    x.data()[at] = NAN;
    simd::max_pool(s, x.data(), output.data(), nullptr);
    int nans = 0;
    for (const float value : output.values()) nans += std::isnan(value);
    EXPECT_EQ(nans, 1);
  }
}

TEST_P(SimdMaxPool, DoesNotDependOnTheThreadCount) {
  const Conv2dShape s = pool_shape(3, 17, 13, 20, 3, 2, 1);
  const Tensor x = random_tensor(input_shape(s), 1);
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    Tensor output({s.output_count()}), taps({s.output_count()}), grad(x.shape());
    simd::max_pool(s, x.data(), output.data(), taps.data());
    simd::max_pool_backward(s, output.data(), taps.data(), grad.data());
    return std::pair(output, grad);
  };
  const auto [one, one_grad] = run(1);
  const auto [two, two_grad] = run(2);
  EXPECT_TRUE(identical(one, two));
  EXPECT_TRUE(identical(one_grad, two_grad));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdMaxPool);

}  // namespace
}  // namespace edgeprune
