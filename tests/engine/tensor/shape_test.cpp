#include "engine/tensor/shape.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace edgeprune {
namespace {

TEST(Shape, CountsItsElements) {
  const Shape shape{8, 16, 16, 24};
  EXPECT_EQ(shape.rank(), 4u);
  EXPECT_EQ(shape.count(), 49152);
  EXPECT_EQ(shape[1], 16);
  EXPECT_EQ(shape.back(), 24);
  EXPECT_EQ(shape.to_string(), "[8,16,16,24]");
}

TEST(Shape, ScalarHasOneElementAndNoDimension) {
  EXPECT_EQ(Shape().rank(), 0u);
  EXPECT_EQ(Shape().count(), 1);
  EXPECT_EQ(Shape().to_string(), "[]");
}

TEST(Shape, ZeroDimensionMakesItEmpty) {
  EXPECT_EQ((Shape{0, 1 << 30, 5}).count(), 0);
}

TEST(Shape, EqualsByDimensionsNotByCount) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
  EXPECT_FALSE((Shape{6}) == (Shape{6, 1}));
}

TEST(Shape, HasEightDimensionsAtMost) {
  const Shape most{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(most.rank(), Shape::kMaxRank);
  EXPECT_EQ(most.count(), 40320);
  try {
    Shape{1, 2, 3, 4, 5, 6, 7, 8, 9};
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[Shape] at most 8 dimensions, got 9: [1,2,3,4,5,6,7,8,9]");
  }
}

TEST(Shape, NegativeOrOverflowingDimensionsAreRejected) {
  EXPECT_THROW((Shape{2, -1}), std::invalid_argument);
  EXPECT_THROW((Shape{int64_t{1} << 32, int64_t{1} << 31}), std::invalid_argument);
  EXPECT_EQ((Shape{int64_t{1} << 32, int64_t{1} << 30}).count(), int64_t{1} << 62);
}

}  // namespace
}  // namespace edgeprune
