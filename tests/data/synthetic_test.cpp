#include "data/synthetic.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "data/dataset.h"

namespace edgeprune {
namespace {

TEST(Synthetic, HasTenNamedClassesInTurn) {
  const Dataset data = synthetic(25, Split::train, 0);
  ASSERT_EQ(data.size(), 25);
  EXPECT_EQ(std::set<std::string>(data.classes.begin(), data.classes.end()).size(), 10u);
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(data.labels[i], i % 10);
    EXPECT_EQ(data.images[i].height, 32);
    EXPECT_EQ(data.images[i].width, 32);
    EXPECT_EQ(data.images[i].rgb.size(), 3072u);
  }
}

TEST(Synthetic, ImageDependsOnSeedSplitAndIndexOnly) {
  const Dataset few = synthetic(7, Split::train, 3), many = synthetic(40, Split::train, 3);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(few.images[i], many.images[i]);
  EXPECT_NE(few.images[0], synthetic(1, Split::test, 3).images[0]);
  EXPECT_NE(few.images[0], synthetic(1, Split::train, 4).images[0]);
}

TEST(Synthetic, NoTwoImagesAreEqual) {
  std::set<std::string> seen;
  for (Split split : {Split::train, Split::test}) {
    for (const Image& image : synthetic(300, split, 0).images) {
      seen.emplace(image.rgb.begin(), image.rgb.end());
    }
  }
  EXPECT_EQ(seen.size(), 600u);
}

// Light on dark is as frequent as dark on light, so that a class' mean image tells little.
TEST(Synthetic, MeanImagesOfTheClassesAreAlike) {
  const Dataset data = synthetic(4000, Split::train, 0);
  std::array<std::array<double, 3072>, 10> mean{};
  for (size_t i = 0; i < data.images.size(); ++i) {
    for (size_t p = 0; p < 3072; ++p) mean[i % 10][p] += data.images[i].rgb[p] / 400.0;
  }
  for (const auto& class_mean : mean) {
    for (double value : class_mean) EXPECT_NEAR(value, 127.5, 30.0);
  }
}

TEST(Synthetic, ImpossibleCountsAreRejected) {
  EXPECT_THROW(synthetic(0, Split::train, 0), std::invalid_argument);
  EXPECT_THROW(synthetic(-5, Split::train, 0), std::invalid_argument);
  EXPECT_THROW(synthetic(1'000'001, Split::train, 0), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
