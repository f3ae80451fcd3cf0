#include "pruning/smallest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace edgeprune {
namespace {

std::vector<int64_t> sorted(std::vector<int64_t> positions) {
  std::sort(positions.begin(), positions.end());
  return positions;
}

using Positions = std::vector<int64_t>;

TEST(Smallest, PositionsOfTheSmallestScores) {
  const std::vector<double> scores{3, 0.5, 2, 0.25, 1};
  EXPECT_EQ(sorted(smallest(scores, 0, "scores")), Positions{});
  EXPECT_EQ(sorted(smallest(scores, 2, "scores")), (Positions{1, 3}));
  EXPECT_EQ(sorted(smallest(scores, 5, "scores")), (Positions{0, 1, 2, 3, 4}));
}

TEST(Smallest, FirstAmongEquals) {
  EXPECT_EQ(sorted(smallest({2, 1, 1, 1, 2}, 2, "scores")), (Positions{1, 2}));
}

TEST(Smallest, ZerosCountAndGoFirst) {
  const std::vector<double> scores{3, 0, 2, 0};
  EXPECT_EQ(sorted(smallest(scores, 3, "scores")), (Positions{1, 2, 3}));
  try {
    smallest(scores, 1, "scores");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("2 of 4 scores are zero already"), std::string::npos);
  }
}

TEST(Smallest, ScoresThatAreNotFiniteAreRejected) {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(smallest({1, bad, 2}, 1, "scores"), std::invalid_argument);
  }
}

TEST(ShareOf, RoundsHalvesToEven) {
  EXPECT_EQ(share_of(0.0, 100), 0);
  EXPECT_EQ(share_of(0.3, 10), 3);
  EXPECT_EQ(share_of(0.5, 1), 0);
  EXPECT_EQ(share_of(0.5, 3), 2);
  EXPECT_EQ(share_of(0.5, 5), 2);
  EXPECT_EQ(share_of(0.999, 10), 10);
}

TEST(ShareOf, FractionsOutsideTheRangeAreRejected) {
  for (const double fraction : {-0.1, 1.0, 2.0, std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(share_of(fraction, 10), std::invalid_argument) << fraction;
  }
}

TEST(CountOf, IsOfAllOrOfWhatIsLeft) {
  EXPECT_EQ(count_of(0.5, Base::original, 100, 20, "weights"), 50);
  EXPECT_EQ(count_of(0.5, Base::remaining, 100, 20, "weights"), 60);
  EXPECT_EQ(count_of(0.1, Base::remaining, 100, 75, "weights"), 77);  // 2.5 to even
  EXPECT_EQ(count_of(0.2, Base::original, 100, 20, "weights"), 20);
  EXPECT_THROW(count_of(0.1, Base::original, 100, 20, "weights"), std::invalid_argument);
  EXPECT_THROW(count_of(1.0, Base::remaining, 100, 20, "weights"), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
