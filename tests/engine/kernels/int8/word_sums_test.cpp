#include "engine/kernels/int8/word_sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/kernels/quantization.h"

namespace edgeprune {
namespace {

using int8::WordSums;

/// Of each group, where it begins among the fours, and its size.
std::vector<std::pair<size_t, int>> groups_of(const WordSums& sums) {
  std::vector<std::pair<size_t, int>> groups;
  size_t first = 0;
  for (size_t s = 0; s < sums.groups.size(); ++s) {
    for (int i = 0; i < sums.groups[s]; ++i, first += static_cast<size_t>(WordSums::kSizes[s])) {
      groups.emplace_back(first, WordSums::kSizes[s]);
    }
  }
  EXPECT_EQ(first, sums.fours.size());
  return groups;
}

TEST(WordSums, EachFourIsInOneGroupAndNoWordComesToMore) {
  std::mt19937_64 random(1);
  for (const int most : {int8::most_of_sizes(kHighRelu), int8::kMostOfSizes}) {
    for (const int64_t fours : {1, 2, 3, 7, 80, 241}) {
      constexpr int64_t kWords = 64;
      std::vector<uint16_t> sizes(static_cast<size_t>(fours * kWords));
      for (uint16_t& size : sizes) size = static_cast<uint16_t>(random() % 255);
      const WordSums sums = int8::group_fours(sizes, fours, kWords, most);
      std::vector<int32_t> sorted = sums.fours, all(static_cast<size_t>(fours));
      std::sort(sorted.begin(), sorted.end());
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(sorted, all);
      for (const auto& [first, size] : groups_of(sums)) {
        for (int64_t word = 0; word < kWords; ++word) {
          int sum = 0;
          for (size_t i = first; i < first + static_cast<size_t>(size); ++i) {
            sum += sizes[static_cast<size_t>(sums.fours[i] * kWords + word)];
          }
          EXPECT_LE(sum, most) << word;
        }
      }
    }
  }
}

TEST(WordSums, GroupsAreAsLargeAsJustFits) {
  const int most = int8::most_of_sizes(kHighRelu);
  EXPECT_EQ(most, 516);  // 516 * 127 = 65,532
  EXPECT_EQ(int8::most_of_sizes(255), 257);
  EXPECT_EQ(int8::kMostOfSizes, 255);  // 255 * 128 = 32,640
  const std::vector<uint16_t> fits{129, 0, 129, 516, 129, 0, 129, 0};
  EXPECT_EQ(int8::group_fours(fits, 4, 2, most).groups, (WordSums::Counts{1, 0, 0}));
  const std::vector<uint16_t> no_four{129, 0, 129, 0, 129, 0, 130, 0};
  EXPECT_EQ(int8::group_fours(no_four, 4, 2, most).groups, (WordSums::Counts{0, 2, 0}));
  const std::vector<uint16_t> no_pair{254, 254, 254, 254};
  EXPECT_EQ(int8::group_fours(no_pair, 4, 1, int8::kMostOfSizes).groups,
            (WordSums::Counts{0, 0, 4}));
}

TEST(WordSums, FoursThatDoNotFitOneAnotherMeetOthers) {
  // Large ones first: each takes a small one from behind.
  const std::vector<uint16_t> sizes{200, 200, 50, 50};
  const WordSums sums = int8::group_fours(sizes, 4, 1, 255);
  EXPECT_EQ(sums.groups, (WordSums::Counts{0, 2, 0}));
}

}  // namespace
}  // namespace edgeprune
