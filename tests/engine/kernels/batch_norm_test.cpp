#include "engine/kernels/simd/batch_norm.h"

#include <gtest/gtest.h>

#include "engine/base/parallel.h"
#include "engine/kernels/reference/batch_norm.h"
#include "tests/support/simd_targets.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::identical;
using testing::random_tensor;
using testing::relative_error;

constexpr double kTolerance = 1e-5;

/// Around the vectors' length, the block of 64 rows and the grain that threads share.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> list = [] {
    std::vector<Shape> result;
    for (const int64_t rows : {1, 2, 15, 16, 63, 64, 65, 130, 1025}) {
      for (const int64_t channels : {1, 3, 7, 16, 17, 24, 33, 96})
        result.push_back({rows, channels});
    }
    return result;
  }();
  return list;
}

bool passes(Activation activation, double z) {
  return activation == Activation::none || (z > 0 && z < 6);
}

class SimdBatchNorm : public testing::OnEveryTarget {};

TEST_P(SimdBatchNorm, StatisticsMatchTheReference) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    const int64_t rows = shape[0], channels = shape[1];
    const Tensor x = random_tensor(shape, 1, -2, 3);
    Tensor mean({channels}), variance({channels}), expected_mean({channels}),
        expected_variance({channels});
    simd::batch_norm_statistics(x.data(), rows, channels, mean.data(), variance.data());
    reference::batch_norm_statistics(x.data(), rows, channels, expected_mean.data(),
                                     expected_variance.data());
    EXPECT_LE(relative_error(mean, expected_mean), kTolerance);
    if (rows == 1) {
      EXPECT_EQ(testing::values_of(variance),
                std::vector<float>(static_cast<size_t>(channels), 0.0f));
    } else {
      EXPECT_LE(relative_error(variance, expected_variance), kTolerance);
    }
  }
}

TEST_P(SimdBatchNorm, AMeanFarFromZeroDoesNotSpoilTheVariance) {
  // The sum of squares minus the square of the sum would leave no digit of it in float32.
  Tensor x = random_tensor({1000, 5}, 1);
  for (float& value : x.values()) value += 1000.0f;
  Tensor mean({5}), variance({5}), expected_mean({5}), expected_variance({5});
  simd::batch_norm_statistics(x.data(), 1000, 5, mean.data(), variance.data());
  reference::batch_norm_statistics(x.data(), 1000, 5, expected_mean.data(),
                                   expected_variance.data());
  EXPECT_LE(relative_error(mean, expected_mean), 1e-6);
  EXPECT_LE(relative_error(variance, expected_variance), 1e-4);
}

TEST_P(SimdBatchNorm, AConstantChannelHasNoVariance) {
  const Tensor x({100, 3}, 0.3f);
  Tensor mean({3}), variance({3});
  simd::batch_norm_statistics(x.data(), 100, 3, mean.data(), variance.data());
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(mean.data()[c], 0.3f, 1e-7);
    EXPECT_GE(variance.data()[c], 0.0f);
    EXPECT_LE(variance.data()[c], 1e-12f);
  }
}

TEST_P(SimdBatchNorm, ScaleShiftAppliesTheActivation) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    const int64_t rows = shape[0], channels = shape[1];
    const Tensor x = random_tensor(shape, 1, -4, 8), scale = random_tensor({channels}, 2),
                 shift = random_tensor({channels}, 3);
    for (const Activation activation : {Activation::none, Activation::relu6}) {
      Tensor expected(shape), actual(shape, -1.0f);
      for (int64_t i = 0; i < x.count(); ++i) {
        const double z =
            double(x.data()[i]) * scale.data()[i % channels] + shift.data()[i % channels];
        expected.data()[i] =
            static_cast<float>(activation == Activation::relu6 ? std::clamp(z, 0.0, 6.0) : z);
      }
      simd::scale_shift(x.data(), rows, channels, scale.data(), shift.data(), activation,
                        actual.data());
      EXPECT_LE(testing::max_abs_error(actual, expected), 1e-5);
    }
  }
}

TEST_P(SimdBatchNorm, BackwardSumsPassWhatTheActivationPasses) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    const int64_t rows = shape[0], channels = shape[1];
    const Tensor x = random_tensor(shape, 1, -4, 8), g = random_tensor(shape, 2),
                 mean = random_tensor({channels}, 3), scale = random_tensor({channels}, 4),
                 shift = random_tensor({channels}, 5);
    for (const Activation activation : {Activation::none, Activation::relu6}) {
      std::vector<double> sum(static_cast<size_t>(channels)), sum_x(sum.size());
      for (int64_t i = 0; i < x.count(); ++i) {
        const auto c = static_cast<size_t>(i % channels);
        const double xi = x.data()[i];
        if (!passes(activation, xi * scale.data()[c] + shift.data()[c])) continue;
        sum[c] += g.data()[i];
        sum_x[c] += g.data()[i] * (xi - mean.data()[c]);
      }
      Tensor actual({channels}, -1.0f), actual_x({channels}, -1.0f);
      simd::batch_norm_backward_sums(x.data(), g.data(), rows, channels, mean.data(), scale.data(),
                                     shift.data(), activation, actual.data(), actual_x.data());
      for (size_t c = 0; c < sum.size(); ++c) {
        EXPECT_NEAR(actual.data()[c], sum[c], 1e-6 * (10 + double(rows)));
        EXPECT_NEAR(actual_x.data()[c], sum_x[c], 1e-5 * (10 + double(rows)));
      }
    }
  }
}

TEST_P(SimdBatchNorm, BackwardDataIsAffineInWhatTheActivationPasses) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.to_string());
    const int64_t rows = shape[0], channels = shape[1];
    const Tensor x = random_tensor(shape, 1, -4, 8), g = random_tensor(shape, 2),
                 scale = random_tensor({channels}, 3), shift = random_tensor({channels}, 4),
                 a = random_tensor({channels}, 5), b = random_tensor({channels}, 6),
                 c = random_tensor({channels}, 7);
    for (const Activation activation : {Activation::none, Activation::relu6}) {
      Tensor expected(shape), actual(shape, -1.0f);
      for (int64_t i = 0; i < x.count(); ++i) {
        const int64_t k = i % channels;
        const double xi = x.data()[i];
        const bool pass = passes(activation, xi * scale.data()[k] + shift.data()[k]);
        expected.data()[i] = static_cast<float>((pass ? double(a.data()[k]) * g.data()[i] : 0.0) +
                                                b.data()[k] * xi + c.data()[k]);
      }
      simd::batch_norm_backward_data(x.data(), g.data(), rows, channels, scale.data(), shift.data(),
                                     activation, a.data(), b.data(), c.data(), actual.data());
      EXPECT_LE(testing::max_abs_error(actual, expected), 1e-5);
    }
  }
}

TEST_P(SimdBatchNorm, RepeatsBitForBitAndHardlyDependsOnTheThreadCount) {
  const int64_t rows = 1000, channels = 33;
  const Tensor x = random_tensor({rows, channels}, 1, -4, 8),
               g = random_tensor({rows, channels}, 2), scale = random_tensor({channels}, 3),
               shift = random_tensor({channels}, 4);
  const auto run = [&](int threads) {
    const ThreadScope scope(threads);
    std::vector<Tensor> results;
    for (int i = 0; i < 4; ++i) results.emplace_back(Shape{channels});
    simd::batch_norm_statistics(x.data(), rows, channels, results[0].data(), results[1].data());
    simd::batch_norm_backward_sums(x.data(), g.data(), rows, channels, results[0].data(),
                                   scale.data(), shift.data(), Activation::relu6, results[2].data(),
                                   results[3].data());
    return results;
  };
  const auto one = run(1), two = run(2), again = run(2);
  for (size_t i = 0; i < two.size(); ++i) {
    EXPECT_TRUE(identical(two[i], again[i]));
    EXPECT_LE(relative_error(two[i], one[i]), kTolerance);
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
