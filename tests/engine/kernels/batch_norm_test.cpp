#include "engine/kernels/simd/batch_norm.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "tests/support/simd_targets.h"
#include "tests/support/through_batch_norm.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::max_abs_error;
using testing::NormalizedGradientTensor;
using testing::NormalizedTensor;
using testing::Output;
using testing::random_tensor;
using testing::Read;

constexpr double kNormTolerance = 1e-5;

/// Around the vectors' length, the block of 64 rows and the grain that threads share.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> list = [] {
    std::vector<Shape> result;
    for (const int64_t rows : {1, 2, 15, 16, 63, 64, 65, 130, 1025}) {
      for (const int64_t channels : {1, 3, 7, 13, 16, 17, 20, 24, 33, 96})
        result.push_back({rows, channels});
    }
    return result;
  }();
  return list;
}

struct Statistics {
  Tensor mean, variance;
};
Statistics statistics_of(const Tensor& x) {
  const Shape channels{x.shape().back()};
  Output mean(channels), variance(channels);
  simd::batch_norm_statistics(x.data(), x.count() / channels[0], channels[0],
                              {mean.data(), variance.data()});
  return {mean.written(), variance.written()};
}

struct Sums {
  Tensor grad, grad_input;
};
Sums backward_sums_of(const NormalizedTensor& x, const Tensor& mean, const Tensor& grad) {
  Output sum_grad(mean.shape()), sum_grad_input(mean.shape());
  simd::batch_norm_backward_sums(x.view(), grad.data(), x.data.count() / x.channels(), x.channels(),
                                 {mean.data(), sum_grad.data(), sum_grad_input.data()});
  return {sum_grad.written(), sum_grad_input.written()};
}

class SimdBatchNorm : public testing::OnEveryTarget {};

TEST_P(SimdBatchNorm, StatisticsMatchTheReference) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    const Tensor x = random_tensor(shape, 1, -2, 3);
    const Statistics actual = statistics_of(x);
    testing::expect_moments_of(x, actual.mean, actual.variance);
  }
}

TEST_P(SimdBatchNorm, AMeanFarFromZeroDoesNotSpoilTheVariance) {
  // The sum of squares minus the square of the sum would leave no digit of it in float32.
  for (const float mean : {1000.0f, -1e5f}) {
    Tensor x = random_tensor({1000, 5}, 1);
    for (float& value : x.values()) value += mean;
    for (const int threads : {1, 2, 3}) {
      const ThreadScope scope(threads);
      const Statistics actual = statistics_of(x);
      testing::expect_moments_of(x, actual.mean, actual.variance);
    }
  }
}

TEST_P(SimdBatchNorm, AnOutlierInTheFirstRowDoesNotSpoilTheVariance) {
  Tensor x = random_tensor({1000, 5}, 1);
  for (float& value : x.values()) value += 100.0f;
  for (int c = 0; c < 5; ++c) x.data()[c] = 0.0f;
  const Statistics actual = statistics_of(x);
  testing::expect_moments_of(x, actual.mean, actual.variance);
}

TEST_P(SimdBatchNorm, AConstantChannelHasNoVariance) {
  for (const int64_t rows : {1, 100}) {
    const Statistics actual = statistics_of(Tensor({rows, 3}, 0.3f));
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(actual.mean.data()[c], 0.3f, 1e-7);
      EXPECT_GE(actual.variance.data()[c], 0.0f);
      EXPECT_LE(actual.variance.data()[c], 1e-12f);
    }
  }
}

TEST_P(SimdBatchNorm, NormalizeWritesWhatAReaderSees) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    for (const Read read : testing::kReads) {
      const NormalizedTensor x(shape, read, 1);
      Output actual(shape);
      simd::normalize(x.view(), shape[0], shape[1], actual.data());
      EXPECT_LE(max_abs_error(actual.written(), x.written_out()), kNormTolerance);
    }
  }
}

TEST_P(SimdBatchNorm, NormalizeWritesWhatAReaderOfAGradientSees) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    for (const Read read : testing::kReads) {
      const NormalizedGradientTensor grad(shape, read, 1);
      Output actual(shape);
      simd::normalize(grad.view(), shape[0], shape[1], actual.data());
      EXPECT_LE(max_abs_error(actual.written(), grad.written_out()), kNormTolerance);
    }
  }
}

TEST_P(SimdBatchNorm, AddAddsWhatReadersSee) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    for (const auto& [left, right] : testing::all_read_pairs()) {
      const NormalizedTensor a(shape, left, 1), b(shape, right, 2);
      Tensor expected = a.written_out();
      const Tensor other = b.written_out();
      for (int64_t i = 0; i < expected.count(); ++i) expected.data()[i] += other.data()[i];
      Output actual(shape);
      simd::add(a.view(), b.view(), shape[0], shape[1], actual.data());
      EXPECT_LE(max_abs_error(actual.written(), expected), kNormTolerance);
    }
  }
}

TEST_P(SimdBatchNorm, BackwardSumsPassWhatTheActivationPasses) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    for (const Activation activation : values_in(kActivations)) {
      const NormalizedTensor x(shape, activation, 1);
      const Tensor grad = random_tensor(shape, 2), mean = random_tensor({shape[1]}, 3);
      const Sums actual = backward_sums_of(x, mean, grad);
      testing::expect_gradient_sums_of(x, mean, grad, actual.grad, actual.grad_input);
    }
  }
}

TEST_P(SimdBatchNorm, EveryActivationIsReadByItsFormula) {
  for (const Activation activation : values_in(kActivations)) {
    SCOPED_TRACE(name_of(kActivations, activation));
    const Shape shape{33, 20};
    const NormalizedTensor x(shape, activation, 1);
    NormalizedGradientTensor grad(shape, Read::normalized, 2);
    grad.output = x;
    Output value(shape), gradient(shape);
    simd::normalize(x.view(), shape[0], shape[1], value.data());
    simd::normalize(grad.view(), shape[0], shape[1], gradient.data());
    EXPECT_LE(max_abs_error(value.written(), x.written_out()), kNormTolerance);
    EXPECT_LE(max_abs_error(gradient.written(), grad.written_out()), kNormTolerance);
  }
}

TEST_P(SimdBatchNorm, Relu6PassesNothingAtItsCorners) {
  // As PyTorch's. Channels: at both corners, just inside, just outside.
  constexpr float kAbove = 0x1p-20f, kBelow = 6 - 0x1p-20f;
  NormalizedTensor x({2, 3}, Read::clipped, 1);
  x.data = Tensor({2, 3}, std::vector<float>{0, kAbove, -kAbove, 6, kBelow, 6 + 0x1p-20f});
  x.scale = Tensor({3}, 1.0f);
  x.shift = Tensor({3}, 0.0f);
  const Tensor grad({2, 3}, 1.0f), one({3}, 1.0f), zero({3}, 0.0f);
  EXPECT_EQ(testing::values_of(backward_sums_of(x, zero, grad).grad),
            (std::vector<float>{0, 2, 0}));
  Output passed({2, 3});
  simd::normalize({grad.data(), one.data(), zero.data(), zero.data(), x.view()}, 2, 3,
                  passed.data());
  EXPECT_EQ(testing::values_of(passed.written()), (std::vector<float>{0, 1, 0, 0, 1, 0}));
}

TEST_P(SimdBatchNorm, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  const Shape shape{1000, 33};
  const NormalizedTensor x(shape, Read::clipped, 1);
  const Tensor grad = random_tensor(shape, 2), mean = random_tensor({33}, 3);
  for (const int threads : {1, 2, 3}) {
    const ThreadScope scope(threads);
    const Statistics statistics = statistics_of(x.data), same_statistics = statistics_of(x.data);
    testing::expect_moments_of(x.data, statistics.mean, statistics.variance);
    EXPECT_TRUE(identical(statistics.mean, same_statistics.mean));
    EXPECT_TRUE(identical(statistics.variance, same_statistics.variance));
    const Sums sums = backward_sums_of(x, mean, grad), same_sums = backward_sums_of(x, mean, grad);
    testing::expect_gradient_sums_of(x, mean, grad, sums.grad, sums.grad_input);
    EXPECT_TRUE(identical(sums.grad, same_sums.grad));
    EXPECT_TRUE(identical(sums.grad_input, same_sums.grad_input));
  }
}

EDGEPRUNE_INSTANTIATE_ON_EVERY_TARGET(SimdBatchNorm);

TEST(ReferenceBatchNorm, StatisticsWorkedOutByHand) {
  const std::vector<float> x{1, 10, 3, 10, 5, 10, 7, 10};  // [4,2]
  float mean[2], variance[2];
  reference::batch_norm_statistics(x.data(), 4, 2, mean, variance);
  EXPECT_FLOAT_EQ(mean[0], 4);
  EXPECT_FLOAT_EQ(variance[0], 5);
  EXPECT_FLOAT_EQ(mean[1], 10);
  EXPECT_FLOAT_EQ(variance[1], 0);
}

}  // namespace
}  // namespace edgeprune
