#include "tools/station/pipeline/durations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace edgeprune::station {
namespace {

using std::chrono::microseconds;

TEST(Durations, PercentilesAreAtMostThreePercentTooHigh) {
  std::mt19937 random(3);
  std::lognormal_distribution<double> drawn(std::log(3000.0), 2.0);  // 10 us to seconds
  Durations durations;
  std::vector<int64_t> all;
  for (int i = 0; i < 20000; ++i) {
    all.push_back(static_cast<int64_t>(drawn(random)));
    durations.add(microseconds(all.back()));
  }
  std::sort(all.begin(), all.end());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const double exact =
        static_cast<double>(all[static_cast<size_t>(std::ceil(percent / 100 * 20000)) - 1]) / 1000;
    EXPECT_GE(durations.percentile_ms(percent), exact) << percent;
    EXPECT_LE(durations.percentile_ms(percent), exact * 1.032 + 0.001) << percent;
  }
  EXPECT_EQ(durations.max_ms(), static_cast<double>(all.back()) / 1000);
  EXPECT_EQ(durations.count(), 20000u);
}

TEST(Durations, WhatIsOutOfItsRange) {
  Durations durations;
  EXPECT_EQ(durations.percentile_ms(99), 0);
  durations.add(microseconds(-5));
  EXPECT_EQ(durations.max_ms(), 0);
  durations.add(std::chrono::hours(5));
  EXPECT_EQ(durations.max_ms(), 5 * 3600e3);
  EXPECT_GT(durations.percentile_ms(100), 100e3);
  EXPECT_EQ(durations.percentile_ms(50), 0);
}

}  // namespace
}  // namespace edgeprune::station
