#include "tools/measurement/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "engine/base/random.h"

namespace edgeprune {
namespace {

TEST(Statistics, MedianIsTheMiddleOrTheMeanOfTheTwo) {
  EXPECT_EQ(median({5}), 5);
  EXPECT_EQ(median({9, 1, 4}), 4);
  EXPECT_EQ(median({9, 1}), 5);
  EXPECT_EQ(median({8, 1, 4, 2}), 3);
  EXPECT_EQ(median({3, 3, 3, 3}), 3);
}

TEST(Statistics, PercentileIsTheNearestRank) {
  const std::vector<double> ten = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(percentile(ten, 0.9), 9);
  EXPECT_EQ(percentile(ten, 0.91), 10);
  EXPECT_EQ(percentile(ten, 0.99), 10);
  EXPECT_EQ(percentile(ten, 0.5), 5);
  EXPECT_EQ(percentile(ten, 0.001), 1);
  EXPECT_EQ(percentile(ten, 1), 10);
  EXPECT_EQ(percentile({7}, 0.99), 7);
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(percentile(hundred, i / 100.0), i);
}

TEST(Statistics, IntervalHoldsTheTrueMedianInNineteenOfTwentySamples) {
  // Exponential with median 1: skewed, as times are.
  Rng rng(3);
  int held = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values;
    for (int i = 0; i < 25; ++i) values.push_back(-std::log2(1 - rng.uniform()));
    const Interval interval = median_interval(values);
    EXPECT_LE(interval.low, interval.median);
    EXPECT_LE(interval.median, interval.high);
    held += interval.low <= 1 && 1 <= interval.high;
  }
  EXPECT_GT(held, 0.92 * kTrials);
  EXPECT_LT(held, 0.98 * kTrials) << "no wider than it needs to be";
}

TEST(Statistics, IntervalIsTheSameEveryTimeAndNarrowerWithMoreValues) {
  Rng rng(5);
  std::vector<double> values;
  for (int i = 0; i < 20; ++i) values.push_back(10 + rng.uniform());
  const Interval few = median_interval(values), again = median_interval(values);
  EXPECT_EQ(few.median, median(values));
  EXPECT_EQ(few.low, again.low);
  EXPECT_EQ(few.high, again.high);
  EXPECT_DOUBLE_EQ(few.half_width(), (few.high - few.low) / 2 / few.median);
  for (int i = 0; i < 400; ++i) values.push_back(10 + rng.uniform());
  EXPECT_LT(median_interval(values).half_width(), few.half_width() / 2);
}

TEST(Statistics, AFewValuesMakeAnIntervalAsWideAsTheyAre) {
  const Interval interval = median_interval({3, 1, 5, 2, 4});
  EXPECT_EQ(interval.median, 3);
  EXPECT_EQ(interval.low, 1);
  EXPECT_EQ(interval.high, 5);
}

TEST(Statistics, WithoutValuesThereIsNone) {
  EXPECT_THROW(median_interval({}), std::invalid_argument);
  EXPECT_THROW(median({}), std::invalid_argument);
  EXPECT_THROW(percentile({}, 0.5), std::invalid_argument);
}

TEST(Statistics, AShareOutOfRangeIsRejected) {
  for (const double share : {0.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(percentile({1, 2}, share), std::invalid_argument) << share;
  }
}

}  // namespace
}  // namespace edgeprune
