#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/data/image_files.h"

namespace edgeprune {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using testing::message_of;
using testing::numbered_images;

/// numbered_images() keep their number in their first pixel.
std::vector<int> numbers(const Dataset& dataset) {
  std::vector<int> result;
  for (const Image& image : dataset.images) result.push_back(image.rgb.at(0));
  return result;
}

std::vector<int> per_class(const Dataset& dataset) {
  std::vector<int> counts(dataset.classes.size(), 0);
  for (int label : dataset.labels) ++counts.at(label);
  return counts;
}

TEST(Limit, TakesTheSameNumberOfEachClassInTheOrderOfTheData) {
  const Dataset part = limit(numbered_images(200, 4), 40, 1);
  EXPECT_EQ(part.size(), 40);
  EXPECT_THAT(per_class(part), Each(10));
  const std::vector<int> kept = numbers(part);
  EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(part.labels[i], kept[i] % 4);
  EXPECT_EQ(part.classes.size(), 4u);
}

TEST(Limit, FillsUpFromLargerClassesWhenOneRunsOut) {
  Dataset data = numbered_images(30, 3);
  for (int& label : data.labels)
    label = std::min(label, 1);  // 10 of class 0, 20 of class 1, none of class 2
  EXPECT_EQ(per_class(limit(data, 25, 0)), (std::vector<int>{10, 15, 0}));
}

TEST(Limit, ASmallerPartLiesWithinALargerOne) {
  const Dataset data = numbered_images(200, 4);
  const std::vector<int> small = numbers(limit(data, 21, 5)), large = numbers(limit(data, 60, 5));
  EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end()));
}

TEST(Limit, DependsOnTheSeedOnly) {
  const Dataset data = numbered_images(200, 4);
  EXPECT_EQ(numbers(limit(data, 40, 1)), numbers(limit(data, 40, 1)));
  EXPECT_NE(numbers(limit(data, 40, 1)), numbers(limit(data, 40, 2)));
}

TEST(Limit, MoreThanThereIsMeansAll) {
  const Dataset data = numbered_images(10, 3);
  EXPECT_EQ(numbers(limit(data, 11, 1)), numbers(data));
  EXPECT_EQ(numbers(limit(data, 10, 1)), numbers(data));
}

TEST(Limit, NoImagesAreRejected) {
  EXPECT_THAT(message_of<std::invalid_argument>([] { limit(numbered_images(10, 2), 0, 0); }),
              HasSubstr("got 0"));
  EXPECT_THROW(limit(numbered_images(10, 2), -3, 0), std::invalid_argument);
}

TEST(HoldOut, DividesTheDataIntoTwoBalancedParts) {
  const auto [training, validation] = hold_out(numbered_images(200, 4), 40, 1);
  EXPECT_EQ(training.size(), 160);
  EXPECT_EQ(validation.size(), 40);
  EXPECT_THAT(per_class(training), Each(40));
  EXPECT_THAT(per_class(validation), Each(10));
  std::set<int> all;
  for (const Dataset* part : {&training, &validation}) {
    const std::vector<int> own = numbers(*part);
    EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
    all.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all.size(), 200u);
}

TEST(HoldOut, DependsOnTheSeedOnly) {
  const Dataset data = numbered_images(200, 4);
  EXPECT_EQ(numbers(hold_out(data, 40, 1).second), numbers(hold_out(data, 40, 1).second));
  EXPECT_NE(numbers(hold_out(data, 40, 1).second), numbers(hold_out(data, 40, 2).second));
}

TEST(HoldOut, NoneLeavesTheTrainingDataWhole) {
  const Dataset data = numbered_images(10, 2);
  const auto [training, validation] = hold_out(data, 0, 1);
  EXPECT_EQ(numbers(training), numbers(data));
  EXPECT_EQ(validation.size(), 0);
}

TEST(HoldOut, TooManyAreRejectedWithBothNumbers) {
  const Dataset data = numbered_images(10, 2);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { hold_out(data, 10, 0); }),
              HasSubstr("cannot hold 10 images out of 10"));
  EXPECT_THROW(hold_out(data, -1, 0), std::invalid_argument);
  EXPECT_EQ(hold_out(data, 9, 0).first.size(), 1);
}

TEST(Fingerprint, IsTheSameForEqualData) {
  EXPECT_EQ(fingerprint(numbered_images(10, 2)), fingerprint(numbered_images(10, 2)));
  EXPECT_EQ(fingerprint(numbered_images(10, 2)).size(), 64u);
}

TEST(Fingerprint, ChangesWithPixelsLabelsSizesClassesAndOrder) {
  const Dataset original = numbered_images(10, 2);
  std::set<std::string> prints{fingerprint(original)};
  Dataset changed = original;
  changed.images[9].rgb[11] ^= 1;
  prints.insert(fingerprint(changed));
  changed = original;
  changed.labels[3] = 0;
  prints.insert(fingerprint(changed));
  changed = original;
  changed.images[0].height = 1;
  changed.images[0].width = 4;
  prints.insert(fingerprint(changed));
  changed = original;
  changed.classes[1] = "other";
  prints.insert(fingerprint(changed));
  changed = original;
  std::swap(changed.images[0], changed.images[2]);
  prints.insert(fingerprint(changed));
  prints.insert(fingerprint(limit(original, 9, 0)));
  EXPECT_EQ(prints.size(), 7u);
}

}  // namespace
}  // namespace edgeprune
