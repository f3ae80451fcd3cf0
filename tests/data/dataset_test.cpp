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

/// `counts[c]` images of class c, mixed.
Dataset of_counts(const std::vector<int>& counts) {
  Dataset data = numbered_images(0, static_cast<int>(counts.size()));
  for (int round = 0; round < *std::max_element(counts.begin(), counts.end()); ++round) {
    for (size_t c = 0; c < counts.size(); ++c) {
      if (round >= counts[c]) continue;
      data.images.push_back(testing::one_colour(1, 1, static_cast<uint8_t>(data.size())));
      data.labels.push_back(static_cast<int>(c));
    }
  }
  return data;
}

TEST(Limit, TakesEachClassInProportion) {
  EXPECT_EQ(per_class(limit(of_counts({10, 20, 0}), 15, 0)), (std::vector<int>{5, 10, 0}));
  EXPECT_EQ(per_class(limit(of_counts({1000, 60}), 106, 0)), (std::vector<int>{100, 6}));
  EXPECT_EQ(per_class(limit(of_counts({1000, 60}), 1000, 0)), (std::vector<int>{943, 57}));
}

TEST(Limit,
     ChoosesWhatItAlwaysDid) {  // and bench/peers/data_order.py (tests/scripts/peers_test.py)
  EXPECT_EQ(numbers(limit(numbered_images(24, 3), 8, 9)),
            (std::vector<int>{3, 7, 11, 12, 19, 21, 22, 23}));
  Dataset data = numbered_images(24, 3);
  for (int i = 0; i < 24; ++i) data.labels[i] = i % 7 % 3;
  EXPECT_EQ(numbers(limit(data, 8, 9)), (std::vector<int>{3, 6, 8, 9, 10, 18, 21, 23}));
}

TEST(Limit, LeavesNoClassOutWhereThereIsRoom) {
  EXPECT_EQ(per_class(limit(of_counts({1000, 5, 1}), 10, 0)), (std::vector<int>{8, 1, 1}));
  EXPECT_EQ(per_class(limit(of_counts({1000, 5, 1}), 3, 0)), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(limit(of_counts({1000, 5, 1}), 2, 0).size(), 2);
}

TEST(Limit, ASmallerPartLiesWithinALargerOne) {
  const Dataset data = of_counts({97, 61, 40, 2});
  std::vector<int> small;
  for (int64_t count = 1; count <= data.size(); ++count) {
    const std::vector<int> large = numbers(limit(data, count, 5));
    ASSERT_EQ(std::ssize(large), count);
    EXPECT_TRUE(std::includes(large.begin(), large.end(), small.begin(), small.end())) << count;
    small = large;
  }
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

TEST(HoldOut, ARareClassKeepsItsShareInBothParts) {
  const auto [training, validation] = hold_out(of_counts({1000, 60}), 120, 1);
  EXPECT_EQ(per_class(validation), (std::vector<int>{113, 7}));
  EXPECT_EQ(per_class(training), (std::vector<int>{887, 53}));
  const auto [most, few] = hold_out(of_counts({100, 5}), 10, 1);
  EXPECT_EQ(per_class(few), (std::vector<int>{9, 1}));
}

TEST(HoldOut, NoClassIsEmptied) {
  const auto [training, validation] = hold_out(of_counts({10, 2, 1}), 10, 1);
  EXPECT_EQ(per_class(training), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(per_class(validation), (std::vector<int>{9, 1, 0}));
  EXPECT_THAT(message_of<std::invalid_argument>([] {
                hold_out(of_counts({10, 2, 1}), 11, 1);
              }),
              HasSubstr("cannot hold 11 images out of 13: at least one of each class"));
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
  EXPECT_EQ(hold_out(data, 8, 0).first.size(), 2);
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
