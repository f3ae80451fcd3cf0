#pragma once
// Sums of products that stay at 16 bits for as long as they provably fit.
//
// Without VNNI, pmaddubsw sums the products of two bytes in a word (16 bits), and it costs as much
// again to widen that to 32 bits. So the words of several fours of channels are added first, where
// nothing can overflow whatever the inputs are: a word's inputs are anything up to `highest`, so its sum
// spans highest * sum |w|, which has to be less than 2^16. Where it begins, a constant says that words
// start from, and that the bias is freed from. Words wrap, so it does not matter what they hold in between.
//
// The fours of a register tile's rows are packed in groups of equal size, in whatever order makes the
// most of them large: loops then need no branches. Of MobileNetV2's projections nearly all are in fours.
//
// pmaddubsw itself saturates: a pair of products must fit 16 bits. If one does not (inputs up to 255),
// weights are stored as their sizes, and the inputs, less 128, have their signs flipped where weights are
// negative: sizes times -128 to 127 always fit in pairs. No byte is the negative of -128, so what is
// flipped is all bits, which is -x - 1; the bias makes up for the 1.

#include <array>
#include <cstdint>
#include <vector>

namespace edgeprune::int8 {

/// How fours are grouped.
struct WordSums {
  static constexpr std::array<int, 3> kSizes{4, 2, 1};
  using Counts = std::array<int32_t, kSizes.size()>;

  Counts groups{};             ///< of each size
  std::vector<int32_t> fours;  ///< in the order of groups
};

/// `sizes`: sum |w| of each word of each four, [fours][words]; the words of a group may come to `most`, and
/// it has `largest` fours or less.
WordSums group_fours(const std::vector<uint16_t>& sizes, int64_t fours, int64_t words, int most,
                     int largest = WordSums::kSizes[0]);

/// The most that sum |w| of a word may be.
constexpr int most_of_sizes(int highest) {
  return UINT16_MAX / highest;
}
/// The same of weights stored as sizes, times -128 to 127.
constexpr int kMostOfSizes = INT16_MAX / 128;
/// More fours of those hardly ever fit.
inline constexpr int kLargestOfSizes = WordSums::kSizes[1];

}  // namespace edgeprune::int8
