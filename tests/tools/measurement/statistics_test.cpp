#include "tools/measurement/statistics.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

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

TEST(Statistics, WithoutValuesThereIsNone) {
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
