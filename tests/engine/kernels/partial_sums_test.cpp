#include "engine/kernels/simd/partial_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/kernels/simd/row_blocks.h"
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
  part.sums.begin();
  for (int64_t i = begin * channels; i < end * channels; ++i) {
    const auto c = static_cast<size_t>(i % channels);
    const double away = double(x.data()[i]) - origin;
    part.sums.first[c] += away;
    part.sums.second[c] += away * away;
  }
  return part;
}

/// Pieces that end there, and some that had no rows.
struct Split {
  std::vector<std::pair<int64_t, float>> ends_and_origins;
  int empty = 0;
};
void expect_combined(const Tensor& x, const Split& split) {
  std::vector<PartMoments> parts;
  int64_t begin = 0;
  for (const auto& [end, origin] : split.ends_and_origins) {
    parts.push_back(part_of(x, begin, end, origin));
    begin = end;
  }
  for (int i = 0; i < split.empty; ++i) parts.emplace_back(x.dim(1));
  Tensor mean({x.dim(1)}), variance({x.dim(1)});
  simd::combine(std::move(parts), {mean.data(), variance.data()});
  testing::expect_moments_of(x, mean, variance);
}

/// Begun, all zero.
std::vector<PartSums> some_sums(int count, int64_t channels) {
  std::vector<PartSums> sums = simd::parts_of<PartSums>(count, channels);
  for (PartSums& part : sums) part.begin();
  return sums;
}
void set(std::span<double> to, const std::vector<double>& values) {
  std::copy(values.begin(), values.end(), to.begin());
}

TEST(PartMoments, CombineToThoseOfAllRows) {
  const Tensor x = random_tensor({100, 3}, 1, -2, 3);
  expect_combined(x, {{{100, 0.3f}}});
  expect_combined(x, {{{50, 0.3f}, {100, 0.3f}}});
  expect_combined(x, {{{1, -1}, {80, 0.5f}, {100, 2}}});
}

TEST(PartMoments, OfThreadsThatHadNoRowsDoNotCount) {
  const Tensor x = random_tensor({10, 3}, 1, -2, 3);
  expect_combined(x, {{{10, 1}}, 2});
  expect_combined(x, {{{4, 1}, {10, -1}}, 1});
}

TEST(PartMoments, MayLieFarFromZeroAndFromOneAnother) {
  Tensor x = random_tensor({1000, 3}, 1);
  for (int64_t i = 0; i < x.count(); ++i) x.data()[i] += i < 1500 ? 1e4f : 1e4f + 10;
  expect_combined(x, {{{500, 1e4f}, {1000, 1e4f + 10}}});
}

TEST(PartMoments, OfAConstantHaveNoVariance) {
  const Tensor x({30, 2}, 0.3f);
  Tensor mean({2}), variance({2});
  std::vector<PartMoments> parts;
  parts.push_back(part_of(x, 0, 7, 0.1f));
  parts.push_back(part_of(x, 7, 30, 0.7f));
  simd::combine(std::move(parts), {mean.data(), variance.data()});
  for (int c = 0; c < 2; ++c) {
    EXPECT_FLOAT_EQ(mean.data()[c], 0.3f);
    EXPECT_GE(variance.data()[c], 0.0f) << "rounding must not make it negative";
    EXPECT_LE(variance.data()[c], 1e-12f);
  }
}

TEST(PartSums, AddUp) {
  std::vector<PartSums> parts = some_sums(3, 2);
  set(parts[0].first, {1, 10}), set(parts[0].second, {0.5, -1});
  set(parts[1].first, {2, 20}), set(parts[1].second, {0.25, 1});
  const float mean[2] = {};
  Tensor sum_grad({2}), sum_grad_input({2});
  simd::combine(std::move(parts), {mean, sum_grad.data(), sum_grad_input.data()});
  EXPECT_EQ(testing::values_of(sum_grad), (std::vector<float>{3, 30}));
  EXPECT_EQ(testing::values_of(sum_grad_input), (std::vector<float>{0.75f, 0}));
}

TEST(PartSums, TakeTheNewestRowsAlong) {
  std::vector<PartSums> parts = some_sums(2, 2);
  set(parts[0].first, {1, 10});
  const std::vector<float> newest{2, 20, 0.25f, 1};  // both sums of rows not yet taken over
  std::copy(newest.begin(), newest.end(), parts[1].block.begin());
  parts[1].added(3);
  const float mean[2] = {};
  Tensor sum_grad({2}), sum_grad_input({2});
  simd::combine(std::move(parts), {mean, sum_grad.data(), sum_grad_input.data()});
  EXPECT_EQ(testing::values_of(sum_grad), (std::vector<float>{3, 30}));
  EXPECT_EQ(testing::values_of(sum_grad_input), (std::vector<float>{0.25f, 1}));
}

TEST(PartSums, AddUpInDouble) {
  std::vector<PartSums> parts = some_sums(3, 1);
  set(parts[0].first, {1e9}), set(parts[1].first, {1}), set(parts[2].first, {-1e9});
  const float mean = 0;
  float sum_grad = 0, sum_grad_input = 0;
  simd::combine(std::move(parts), {&mean, &sum_grad, &sum_grad_input});
  EXPECT_EQ(sum_grad, 1.0f);
}

TEST(PartSums, ThatNothingWasAddedToAreZero) {
  // In recycled memory, which has held something else.
  {
    const auto used = allocate_floats(14);
    std::fill_n(used.get(), 14, 7.0f);
  }
  const float mean[2] = {};
  Tensor sum_grad({2}), sum_grad_input({2});
  simd::combine(simd::parts_of<PartSums>(2, 2), {mean, sum_grad.data(), sum_grad_input.data()});
  EXPECT_EQ(testing::values_of(sum_grad), (std::vector<float>{0, 0}));
  EXPECT_EQ(testing::values_of(sum_grad_input), (std::vector<float>{0, 0}));
}

TEST(PartSums, ShareNoCacheLine) {
  const auto parts = simd::parts_of<PartSums>(3, 5);
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    for (size_t j = i + 1; j < parts.size(); ++j) {
      const auto end_of = [](const PartSums& part) {
        return reinterpret_cast<uintptr_t>(part.block.data() + part.block.size() - 1) / kSeparate;
      };
      const auto start_of = [](const PartSums& part) {
        return reinterpret_cast<uintptr_t>(part.first.data()) / kSeparate;
      };
      EXPECT_TRUE(end_of(parts[i]) < start_of(parts[j]) || end_of(parts[j]) < start_of(parts[i]));
    }
  }
}

TEST(Shares, AddUp) {
  for (const int64_t count : {1, 33, 40000}) {
    for (const int threads : {1, 2}) {
      const ThreadScope scope(threads);
      std::vector<float> sum(static_cast<size_t>(count));
      const simd::Shares shares(3, count, sum.data());
      EXPECT_EQ(shares[0], sum.data());
      for (int piece = 0; piece < 3; ++piece) {
        for (int64_t i = 0; i < count; ++i) {
          shares[piece][i] = static_cast<float>(i % 100 + 1000 * piece);
        }
      }
      shares.add_up();
      for (int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(sum[static_cast<size_t>(i)], static_cast<float>(3 * (i % 100) + 3000)) << i;
      }
    }
  }
}

TEST(Shares, OfWhatIsNotWantedAreNull) {
  const simd::Shares shares(3, 100, nullptr);
  for (int piece = 0; piece < 3; ++piece) EXPECT_EQ(shares[piece], nullptr);
  shares.add_up();
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

// As many as there are threads: smaller pieces of 256 rows would leave one of two threads 512 of 784.
TEST(SummedRowPieces, FewRowsAreSharedEqually) {
  const auto ends = [](int threads, int64_t rows) {
    const ThreadScope scope(threads);
    const Pieces pieces = simd::summed_row_pieces(rows, 256);
    std::vector<int64_t> result;
    for (int i = 0; i < pieces.count(); ++i) result.push_back(pieces.end(i));
    return result;
  };
  EXPECT_EQ(ends(2, 784), (std::vector<int64_t>{392, 784}));
  EXPECT_EQ(ends(3, 1000), (std::vector<int64_t>{336, 672, 1000}));
  EXPECT_EQ(ends(2, 5), (std::vector<int64_t>{5}));
  EXPECT_GT(ends(2, 4096).size(), 2u);
  EXPECT_EQ(ends(1, 784).back(), 784);
}

}  // namespace
}  // namespace edgeprune
