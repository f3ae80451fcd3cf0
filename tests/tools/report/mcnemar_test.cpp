#include "tools/report/mcnemar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace edgeprune {
namespace {

/// Pascal's triangle in long double: exact to its last digits, without logarithms.
double by_pascal(int only_first, int only_second) {
  const int n = only_first + only_second, k = std::min(only_first, only_second);
  std::vector<long double> row(size_t(n) + 1, 0);
  row[0] = 1;
  for (int i = 1; i <= n; ++i) {
    for (int j = i; j >= 1; --j) row[size_t(j)] = (row[size_t(j)] + row[size_t(j) - 1]) / 2;
    row[0] /= 2;
  }
  long double sum = 0;
  for (int i = 0; i <= k; ++i) sum += row[size_t(i)];
  return double(std::min(1.0L, 2 * sum));
}

TEST(McNemar, SmallCountsAsByHand) {
  EXPECT_DOUBLE_EQ(mcnemar_p_value(0, 0), 1);
  EXPECT_DOUBLE_EQ(mcnemar_p_value(0, 1), 1);
  EXPECT_NEAR(mcnemar_p_value(0, 5), 2.0 / 32, 1e-15);
  EXPECT_NEAR(mcnemar_p_value(2, 10), 2.0 * (1 + 12 + 66) / 4096, 1e-14);
  EXPECT_NEAR(mcnemar_p_value(1, 8), 2.0 * (1 + 9) / 512, 1e-14);
}

TEST(McNemar, EqualCountsAreNoDifference) {
  for (const int count : {1, 7, 400, 5000}) EXPECT_EQ(mcnemar_p_value(count, count), 1);
}

TEST(McNemar, ThousandsOfImagesAsByExactFractions) {
  // 2 * sum C(n, i) / 2^n in Python's integers.
  const auto close = [](double p, double expected) { EXPECT_NEAR(p / expected, 1, 1e-9); };
  close(mcnemar_p_value(412, 513), 0.000998680936394494);
  close(mcnemar_p_value(4800, 5100), 0.00265348451150268);
  close(mcnemar_p_value(3200, 2500), 1.8612650461374e-20);
}

TEST(McNemar, AgreesWithPascalsTriangle) {
  for (const auto& [b, c] : {std::pair(6, 16), {90, 120}, {300, 310}, {700, 600}}) {
    EXPECT_NEAR(mcnemar_p_value(b, c) / by_pascal(b, c), 1, 1e-10) << b << " " << c;
  }
}

TEST(McNemar, HopelessDifferencesComeToNothingAndNotToNan) {
  EXPECT_LT(mcnemar_p_value(100, 3000), 1e-300);
  EXPECT_EQ(mcnemar_p_value(0, 10000), 0);
}

TEST(McNemar, CountsImagesThatOneNetworkAloneHasRight) {
  // 1010 0110 against 0110 0111: first alone 1, second alone 2.
  const McNemar found = mcnemar("a6", "67", 8);
  EXPECT_EQ(found.only_first, 1);
  EXPECT_EQ(found.only_second, 2);
  EXPECT_DOUBLE_EQ(found.p, 1);
  EXPECT_EQ(mcnemar("A6", "67", 7).only_first, 1);
}

TEST(McNemar, WhatCannotBeReadIsRefused) {
  EXPECT_THROW(mcnemar("ff", "f", 8), std::invalid_argument);
  EXPECT_THROW(mcnemar("ff", "ff", 9), std::invalid_argument);
  EXPECT_THROW(mcnemar("fg", "ff", 8), std::invalid_argument);
  EXPECT_THROW(mcnemar_p_value(-1, 3), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
