#include "engine/kernels/simd/partial_sums.h"

#include <gtest/gtest.h>

#include "tests/support/through_batch_norm.h"

namespace edgeprune {
namespace {

using simd::PartMoments;
using simd::PartSums;
using testing::random_tensor;

/// Rows [begin, end), summed from `origin`.
PartMoments part_of(const Tensor& x, int64_t begin, int64_t end, float origin) {
  const int64_t channels = x.dim(1);
  PartMoments part(channels);
  part.rows = end - begin;
  part.origin.assign(static_cast<size_t>(channels), origin);
  for (int64_t i = begin * channels; i < end * channels; ++i) {
    const auto c = static_cast<size_t>(i % channels);
    const double away = double(x.data()[i]) - origin;
    part.sums.first[c] += away;
    part.sums.second[c] += away * away;
  }
  return part;
}

void expect_combined(const Tensor& x, const std::vector<PartMoments>& parts) {
  Tensor mean({x.dim(1)}), variance({x.dim(1)});
  simd::combine(parts, {mean.data(), variance.data()});
  testing::expect_moments_of(x, mean, variance);
}

TEST(PartMoments, CombineToThoseOfAllRows) {
  const Tensor x = random_tensor({100, 3}, 1, -2, 3);
  expect_combined(x, {part_of(x, 0, 100, 0.3f)});
  expect_combined(x, {part_of(x, 0, 50, 0.3f), part_of(x, 50, 100, 0.3f)});
  expect_combined(x, {part_of(x, 0, 1, -1), part_of(x, 1, 80, 0.5f), part_of(x, 80, 100, 2)});
}

TEST(PartMoments, OfThreadsThatHadNoRowsDoNotCount) {
  const Tensor x = random_tensor({10, 3}, 1, -2, 3);
  expect_combined(x, {part_of(x, 0, 10, 1), PartMoments(3), PartMoments(3)});
  expect_combined(x, {part_of(x, 0, 4, 1), part_of(x, 4, 10, -1), PartMoments(3)});
}

TEST(PartMoments, MayLieFarFromZeroAndFromOneAnother) {
  Tensor x = random_tensor({1000, 3}, 1);
  for (int64_t i = 0; i < x.count(); ++i) x.data()[i] += i < 1500 ? 1e4f : 1e4f + 10;
  expect_combined(x, {part_of(x, 0, 500, 1e4f), part_of(x, 500, 1000, 1e4f + 10)});
}

TEST(PartMoments, OfAConstantHaveNoVariance) {
  const Tensor x({30, 2}, 0.3f);
  Tensor mean({2}), variance({2});
  simd::combine({part_of(x, 0, 7, 0.1f), part_of(x, 7, 30, 0.7f)}, {mean.data(), variance.data()});
  for (int c = 0; c < 2; ++c) {
    EXPECT_FLOAT_EQ(mean.data()[c], 0.3f);
    EXPECT_GE(variance.data()[c], 0.0f) << "rounding must not make it negative";
    EXPECT_LE(variance.data()[c], 1e-12f);
  }
}

TEST(PartSums, AddUp) {
  std::vector<PartSums> parts(3, PartSums(2));
  parts[0].first = {1, 10}, parts[0].second = {0.5, -1};
  parts[1].first = {2, 20}, parts[1].second = {0.25, 1};
  const float mean[2] = {};
  Tensor sum_grad({2}), sum_grad_input({2});
  simd::combine(parts, {mean, sum_grad.data(), sum_grad_input.data()});
  EXPECT_EQ(testing::values_of(sum_grad), (std::vector<float>{3, 30}));
  EXPECT_EQ(testing::values_of(sum_grad_input), (std::vector<float>{0.75f, 0}));
}

TEST(PartSums, TakeTheNewestRowsAlong) {
  std::vector<PartSums> parts(2, PartSums(2));
  parts[0].first = {1, 10};
  parts[1].block = {2, 20, 0.25f, 1};  // both sums of rows not yet taken over
  parts[1].added(3);
  const float mean[2] = {};
  Tensor sum_grad({2}), sum_grad_input({2});
  simd::combine(parts, {mean, sum_grad.data(), sum_grad_input.data()});
  EXPECT_EQ(testing::values_of(sum_grad), (std::vector<float>{3, 30}));
  EXPECT_EQ(testing::values_of(sum_grad_input), (std::vector<float>{0.25f, 1}));
}

TEST(PartSums, AddUpInDouble) {
  std::vector<PartSums> parts(3, PartSums(1));
  parts[0].first = {1e9}, parts[1].first = {1}, parts[2].first = {-1e9};
  const float mean = 0;
  float sum_grad = 0, sum_grad_input = 0;
  simd::combine(parts, {&mean, &sum_grad, &sum_grad_input});
  EXPECT_EQ(sum_grad, 1.0f);
}

TEST(RoughMean, OfAFewRowsIsTheirMean) {
  for (const int64_t rows : {1, 2, 15, 16}) {
    const Tensor x = random_tensor({rows, 3}, 1);
    const std::vector<float> mean = simd::rough_mean(x.data(), rows, 3);
    ASSERT_EQ(mean.size(), 3u);
    for (int64_t c = 0; c < 3; ++c) {
      double sum = 0;
      for (int64_t r = 0; r < rows; ++r) sum += x.data()[r * 3 + c];
      EXPECT_NEAR(mean[static_cast<size_t>(c)], sum / double(rows), 1e-6) << rows << " rows";
    }
  }
}

TEST(RoughMean, OfManyRowsTakesThemFromAllOver) {
  // A ramp: rows from all over it have its mean; the first or the last rows do not.
  for (const int64_t rows : {17, 64, 1000, 4096}) {
    Tensor x({rows, 1});
    for (int64_t r = 0; r < rows; ++r) {
      x.data()[r] = static_cast<float>(r) / static_cast<float>(rows);
    }
    EXPECT_NEAR(simd::rough_mean(x.data(), rows, 1)[0], 0.5f, 0.05f) << rows << " rows";
  }
}

TEST(RoughMean, IsNotSpoiltByAnOutlierInTheFirstRow) {
  Tensor x({1000, 1}, 100.0f);
  x.data()[0] = 0;
  EXPECT_NEAR(simd::rough_mean(x.data(), 1000, 1)[0], 100.0f, 1e-4f);
}

}  // namespace
}  // namespace edgeprune
