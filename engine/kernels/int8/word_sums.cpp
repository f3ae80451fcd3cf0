#include "engine/kernels/int8/word_sums.h"

#include <algorithm>

namespace edgeprune::int8 {

WordSums group_fours(const std::vector<uint16_t>& sizes, int64_t fours, int64_t words, int most,
                     int largest) {
  // The first four that is left begins a group; of those behind it, so many are tried.
  constexpr int kTries = 32;
  WordSums sums;
  std::vector<int32_t> left(static_cast<size_t>(fours));
  for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<int32_t>(i);
  std::vector<uint16_t> sum(static_cast<size_t>(words)), next(sum.size());
  for (size_t s = 0; s < WordSums::kSizes.size(); ++s) {
    const auto size = static_cast<size_t>(WordSums::kSizes[s]);
    if (WordSums::kSizes[s] > largest) continue;
    std::vector<int32_t> waiting;
    while (!left.empty()) {
      std::vector<size_t> group;
      std::fill(sum.begin(), sum.end(), uint16_t{0});
      const size_t last = std::min<size_t>(left.size(), kTries);
      for (size_t i = 0; i < last && group.size() < size; ++i) {
        const uint16_t* own = sizes.data() + left[i] * words;
        int reached = 0;
        for (size_t w = 0; w < sum.size(); ++w) {
          next[w] = static_cast<uint16_t>(sum[w] + own[w]);
          reached = std::max<int>(reached, next[w]);
        }
        if (i > 0 && reached > most) continue;
        sum.swap(next);
        group.push_back(i);
      }
      if (group.size() < size) {
        waiting.push_back(left.front());
        left.erase(left.begin());
        continue;
      }
      for (size_t i = group.size(); i-- > 0;) {
        sums.fours.push_back(left[group[i]]);
        left.erase(left.begin() + static_cast<std::ptrdiff_t>(group[i]));
      }
      ++sums.groups[s];
    }
    left.swap(waiting);
  }
  return sums;
}

}  // namespace edgeprune::int8
