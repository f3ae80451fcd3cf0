#include "engine/kernels/simd/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/activation.h"
#include "tests/support/page_end.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_tensor;
using testing::values_of;

constexpr int64_t kElementCounts[] = {0,  1,  3,   15,
                                      16, 17, 100, 40000};  // the last is shared by threads

class SimdElementwise : public testing::OnEveryTarget {};

TEST_P(SimdElementwise, AddAlsoInPlace) {
  for (const int64_t count : kElementCounts) {
    const Tensor a = random_tensor({count}, 1), b = random_tensor({count}, 2);
    std::vector<float> expected(static_cast<size_t>(count));
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = a.data()[i] + b.data()[i];
    Tensor sum({count}, -1.0f), left = a.clone(), right = b.clone();
    simd::add(a.data(), b.data(), count, sum.data());
    simd::add(left.data(), b.data(), count, left.data());
    simd::add(a.data(), right.data(), count, right.data());
    EXPECT_EQ(values_of(sum), expected);
    EXPECT_EQ(values_of(left), expected);
    EXPECT_EQ(values_of(right), expected);
  }
}

// Not even as they were: another thread may be at work there.
TEST_P(SimdElementwise, NothingBehindTheEndIsReadOrWritten) {
  const testing::PageEnd a, b, sum;
  for (int64_t count = 1; count < 40; ++count) {
    for (int64_t i = 0; i < count; ++i) {
      a.last(count)[i] = static_cast<float>(i);
      b.last(count)[i] = 0.5f;
    }
    simd::add(a.last(count), b.last(count), count, sum.last(count));
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(sum.last(count)[i], static_cast<float>(i) + 0.5f) << count;
    }
  }
}

TEST_P(SimdElementwise, ActivationsFollowTheirFormulas) {
  for (const Activation activation : values_in(kActivations)) {
    for (const int64_t count : kElementCounts) {
      const Tensor x = random_tensor({count}, 1, -10, 10), g = random_tensor({count}, 2);
      Tensor y({count}, -1.0f), grad({count}, -1.0f), in_place = x.clone();
      simd::activate(activation, x.data(), count, y.data());
      simd::activate(activation, in_place.data(), count, in_place.data());
      simd::activation_gradient(activation, x.data(), g.data(), count, grad.data());
      EXPECT_TRUE(testing::identical(y, in_place));
      for (int64_t i = 0; i < count; ++i) {
        const double xi = x.data()[i];
        ASSERT_NEAR(y.data()[i], reference::activate(activation, xi), 1e-6) << xi;
        ASSERT_NEAR(grad.data()[i], g.data()[i] * reference::slope(activation, xi), 1e-6) << xi;
        ASSERT_NEAR(activate(form_of(activation), x.data()[i]), y.data()[i], 1e-6) << xi;
      }
    }
  }
}

TEST_P(SimdElementwise, GridsRoundTheSameBitsAsOneByOne) {
  const Grid grids[] = {{0.037f, 0, 0, 127}, {0.05f, 50, 0, 255}, {0.011f, 0, -127, 127}};
  for (const Grid& grid : grids) {
    for (const Activation activation : values_in(kActivations)) {
      const int64_t count = 16 * 8 + 5;
      const Tensor x = random_tensor({count}, 1, -10, 10), g = random_tensor({count}, 2);
      Tensor active({count}), rounded({count}, -1.0f), slope({count}), grad({count}, -1.0f),
          in_place = x.clone();
      simd::activate(activation, x.data(), count, active.data());
      simd::activation_gradient(activation, x.data(), g.data(), count, slope.data());
      simd::round_to_grid(activation, grid, x.data(), count, rounded.data());
      simd::round_to_grid(activation, grid, in_place.data(), count, in_place.data());
      simd::round_to_grid_gradient(activation, grid, x.data(), g.data(), count, grad.data());
      EXPECT_TRUE(testing::identical(rounded, in_place));
      for (int64_t i = 0; i < count; ++i) {
        const float a = active.data()[i], half = grid.scale / 2;
        const bool inside = a >= grid.least() - half && a <= grid.greatest() + half;
        ASSERT_EQ(rounded.data()[i], grid.value(grid.quantize(a))) << a;
        ASSERT_EQ(grad.data()[i], inside ? slope.data()[i] : 0.0f) << a;
      }
    }
  }
}

TEST_P(SimdElementwise, WhatClipsDoesSoExactly) {
  const std::vector<float> x{-7, -3, 3, 7};
  std::vector<float> y(x.size());
  const auto of = [&](Activation activation) {
    simd::activate(activation, x.data(), static_cast<int64_t>(x.size()), y.data());
    return y;
  };
  EXPECT_EQ(of(Activation::none), x);
  EXPECT_EQ(of(Activation::relu), (std::vector<float>{0, 0, 3, 7}));
  EXPECT_EQ(of(Activation::relu6), (std::vector<float>{0, 0, 3, 6}));
  EXPECT_EQ(of(Activation::hard_swish), (std::vector<float>{0, 0, 3, 7}));
  EXPECT_EQ(of(Activation::hard_sigmoid), (std::vector<float>{0, 0, 1, 1}));
}

TEST_P(SimdElementwise, SigmoidsKeepTheirDigits) {
  std::vector<float> x;
  for (float value = -86.0f; value < 100.0f; value += 0.37f) x.push_back(value);
  const std::vector<float> ones(x.size(), 1.0f);
  std::vector<float> y(x.size()), slope(x.size());
  for (const Activation activation : {Activation::silu, Activation::sigmoid}) {
    simd::activate(activation, x.data(), std::ssize(x), y.data());
    simd::activation_gradient(activation, x.data(), ones.data(), std::ssize(x), slope.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double value = reference::activate(activation, x[i]),
                   s = reference::slope(activation, x[i]);
      ASSERT_NEAR(y[i], value, 1e-6 * std::abs(value)) << x[i];
      // Silu's slope is zero near -1.28, where two terms cancel; beyond 86 it is less than floats have digits for.
      const double terms =
          std::max(std::abs(s), activation == Activation::silu ? reference::sigmoid(x[i]) : 0);
      if (x[i] < 86) {
        ASSERT_NEAR(slope[i], s, 1e-6 * terms) << x[i];
      }
    }
  }
  const std::vector<float> ends{-200.0f, 200.0f};
  simd::activate(Activation::sigmoid, ends.data(), 2, y.data());
  EXPECT_THAT((std::vector<float>{y[0], y[1]}), ::testing::ElementsAre(0.0f, 1.0f));
}

// As PyTorch's.
TEST_P(SimdElementwise, CornersPassNoGradient) {
  const std::vector<float> x{
      0.0f, -0.0f, 6.0f, std::nextafter(0.0f, 1.0f), std::nextafter(6.0f, 0.0f), -3.0f, 3.0f};
  const std::vector<float> g(x.size(), 2.0f);
  std::vector<float> grad(x.size());
  const auto of = [&](Activation activation) {
    simd::activation_gradient(activation, x.data(), g.data(), static_cast<int64_t>(x.size()),
                              grad.data());
    return grad;
  };
  EXPECT_EQ(of(Activation::none), g);
  EXPECT_EQ(of(Activation::relu), (std::vector<float>{0, 0, 2, 2, 2, 0, 2}));
  EXPECT_EQ(of(Activation::relu6), (std::vector<float>{0, 0, 0, 2, 2, 0, 2}));
  EXPECT_EQ(of(Activation::hard_swish), (std::vector<float>{1, 1, 2, 1, 2, 0, 2}));
  constexpr float kThird = 2.0f / 6.0f;
  EXPECT_EQ(of(Activation::hard_sigmoid), (std::vector<float>{kThird, kThird, 0, kThird, 0, 0, 0}));
}

TEST_P(SimdElementwise, NothingNotANumberVanishes) {
  const std::vector<float> x(37, NAN);
  std::vector<float> y(x.size());
  for (const Activation activation : values_in(kActivations)) {
    std::fill(y.begin(), y.end(), 0.0f);
    simd::activate(activation, x.data(), static_cast<int64_t>(x.size()), y.data());
    for (const float value : y) EXPECT_TRUE(std::isnan(value));
    EXPECT_TRUE(std::isnan(activate(form_of(activation), NAN)));
    EXPECT_TRUE(std::isnan(reference::activate(activation, NAN)));
  }
}

TEST_P(SimdElementwise, WritesNothingBehindTheEnd) {
  for (const int64_t count : {1, 7, 17}) {
    const Tensor a = random_tensor({count}, 1);
    Tensor output({count + 16}, 99.0f);
    simd::activate(Activation::relu6, a.data(), count, output.data());
    for (int64_t i = count; i < output.count(); ++i) EXPECT_EQ(output.data()[i], 99.0f);
  }
}

TEST_P(SimdElementwise, ChannelsAreScaledImageByImage) {
  for (const auto& [images, pixels, channels] :
       {std::tuple{1, 1, 1}, {2, 5, 3}, {3, 1, 17}, {2, 49, 40}, {1, 12544, 16}, {5, 70, 33}}) {
    SCOPED_TRACE((Shape{images, pixels, channels}.to_string()));
    const Tensor x = random_tensor({images, pixels, channels}, 1),
                 g = random_tensor(x.shape(), 2, 0, 1), f = random_tensor({images, channels}, 3);
    Tensor expected(x.shape()), expected_grad(f.shape());
    std::vector<double> sums(static_cast<size_t>(f.count()));
    for (int64_t i = 0; i < x.count(); ++i) {
      const int64_t factor = i / channels / pixels * channels + i % channels;
      expected.data()[i] = x.data()[i] * f.data()[factor];
      sums[static_cast<size_t>(factor)] += double(x.data()[i]) * g.data()[i];
    }
    for (int64_t i = 0; i < f.count(); ++i) {
      expected_grad.data()[i] = static_cast<float>(sums[static_cast<size_t>(i)]);
    }
    testing::Output y(x.shape()), grad(f.shape());
    Tensor in_place = x.clone();
    const simd::ChannelMap map{images, pixels, channels};
    simd::scale_channels(map, x.data(), f.data(), y.data());
    simd::scale_channels(map, in_place.data(), f.data(), in_place.data());
    simd::scale_channels_gradient(map, x.data(), g.data(), grad.data());
    EXPECT_TRUE(testing::identical(y.written(), expected));
    EXPECT_TRUE(testing::identical(in_place, expected));
    EXPECT_LE(testing::relative_error(grad.written(), expected_grad), 1e-5);
  }
}

TEST_P(SimdElementwise, DoesNotDependOnTheThreadCount) {
  const Tensor a = random_tensor({100001}, 1), b = random_tensor({100001}, 2);
  Tensor one(a.shape()), two(a.shape());
  {
    const ThreadScope scope(1);
    simd::add(a.data(), b.data(), a.count(), one.data());
  }
  const ThreadScope scope(2);
  simd::add(a.data(), b.data(), a.count(), two.data());
  EXPECT_TRUE(testing::identical(one, two));
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdElementwise);

}  // namespace
}  // namespace edgeprune
