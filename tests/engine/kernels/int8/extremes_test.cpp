#include <gtest/gtest.h>

#include <vector>

#include "engine/kernels/reference/int8.h"

namespace edgeprune::reference {
namespace {

/// One output of weights 127 and -127 on inputs 255.
Extremes extremes_of_sum(int32_t bias, int32_t& sum) {
  const Conv2dShape shape{.in_height = 1, .in_width = 1, .in_channels = 2, .out_channels = 1};
  const int8_t weights[] = {127, -127};
  const uint8_t input[] = {255, 255};
  const float multiplier = 1;
  Extremes extremes;
  conv2d_sums({shape, weights, &bias, &multiplier}, input, 2, &sum, &extremes);
  return extremes;
}

TEST(Extremes, AreThoseOfSumsOnTheWayInAnyOrder) {
  int32_t sum = 0;
  const Extremes e = extremes_of_sum(5, sum);
  EXPECT_EQ(sum, 5);
  EXPECT_EQ(e.least, -32385) << "the bias comes last";
  EXPECT_EQ(e.most, 32390);
  EXPECT_EQ(e.sums, 1);
  EXPECT_EQ(e.beyond, 0);
}

TEST(Extremes, ASumThatLeaves32BitsOnTheWayIsBeyond) {
  int32_t sum = 0;
  EXPECT_EQ(extremes_of_sum(INT32_MAX - 32385, sum).beyond, 0);
  EXPECT_EQ(extremes_of_sum(INT32_MAX - 32384, sum).beyond, 1) << "though it comes back";
  EXPECT_EQ(sum, INT32_MAX - 32384);
  EXPECT_EQ(extremes_of_sum(INT32_MIN + 32385, sum).beyond, 0);
  EXPECT_EQ(extremes_of_sum(INT32_MIN + 32384, sum).beyond, 1);
}

TEST(Extremes, OutputsBeyondTheGridAreCut) {
  const Grid grid{.scale = 1, .zero_point = 10, .lowest = 0, .highest = 127};
  Extremes e;
  for (const float value : {-10.4f, -10.6f, 0.0f, 117.4f, 117.6f, 1e6f}) {
    EXPECT_EQ(cut_to_byte(value, grid, &e), round_to_byte(value, grid));
  }
  EXPECT_EQ(e.outputs, 6);
  EXPECT_EQ(e.below, 1);
  EXPECT_EQ(e.above, 2);
}

TEST(Extremes, ProductsBeyondTheGridAreCutAndWhatFillsPixelsUpIsNotCounted) {
  const Grid ones{.scale = 1, .zero_point = 0, .lowest = 0, .highest = 127};
  const Grid output{.scale = 1, .zero_point = 10, .lowest = 0, .highest = 127};
  // Two pixels of three channels.
  std::vector<uint8_t> factors(16, 99), to(2 * 16);
  const std::vector<uint8_t> map = {1, 2, 60, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                    0, 0, 58, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};
  factors[0] = factors[1] = factors[2] = 2;
  Extremes e;
  scale_channels_int8(1, 2, 3, ones, map.data(), ones, factors.data(), output, to.data(), &e);
  EXPECT_EQ(std::vector(to.begin(), to.begin() + 3), (std::vector<uint8_t>{12, 14, 127}));
  EXPECT_EQ(e.outputs, 6);
  EXPECT_EQ(e.above, 1) << "120 + 10, but not 116 + 10";
  EXPECT_EQ(e.below, 0);
}

}  // namespace
}  // namespace edgeprune::reference
