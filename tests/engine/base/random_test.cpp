#include "engine/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace edgeprune {
namespace {

TEST(Rng, RepeatsOnEveryMachine) {
  EXPECT_EQ(Rng(0).bits(), 15810367513249299677ULL);
  EXPECT_EQ(Rng(1, 2, 3).bits(), 11085911823592300295ULL);
}

TEST(Rng, SeedsStreamsAndSubstreamsDiffer) {
  const uint64_t draws[] = {Rng(0).bits(), Rng(1).bits(), Rng(0, 1).bits(), Rng(0, 0, 1).bits(),
                            Rng(1, 1).bits()};
  for (size_t i = 0; i < std::size(draws); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(draws[i], draws[j]) << i << " " << j;
  }
}

TEST(Rng, UniformStaysInRangeAndFillsIt) {
  Rng rng(7);
  double low = 1, high = 0, sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double value = rng.uniform();
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
  }
  EXPECT_GE(low, 0.0);
  EXPECT_LT(low, 0.01);
  EXPECT_LT(high, 1.0);
  EXPECT_GT(high, 0.99);
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
  for (int i = 0; i < 1000; ++i) {
    const float value = rng.uniform(-2.0f, 3.0f);
    EXPECT_TRUE(value >= -2.0f && value <= 3.0f) << value;
  }
}

TEST(Rng, BelowHitsEveryValueAboutEquallyOften) {
  Rng rng(8);
  std::vector<int> hits(10);
  for (int i = 0; i < 10'000; ++i) ++hits.at(rng.below(10));
  for (const int count : hits) EXPECT_NEAR(count, 1000, 150);
  EXPECT_EQ(rng.below(1), 0u);
}

TEST(Rng, NormalHasMeanZeroAndVarianceOne) {
  Rng rng(9);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double value = rng.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 20'000, 0.0, 0.03);
  EXPECT_NEAR(squares / 20'000, 1.0, 0.05);
}

TEST(Rng, ShuffleIsAPermutationThatDependsOnTheSeed) {
  std::vector<int> ordered(100);
  std::iota(ordered.begin(), ordered.end(), 0);
  const auto shuffled = [&](uint64_t seed) {
    std::vector<int> items = ordered;
    Rng(seed).shuffle(std::span(items));
    return items;
  };
  EXPECT_EQ(shuffled(1), shuffled(1));
  EXPECT_NE(shuffled(1), shuffled(2));
  EXPECT_NE(shuffled(1), ordered);
  EXPECT_TRUE(std::ranges::is_permutation(shuffled(1), ordered));
}

}  // namespace
}  // namespace edgeprune
