#include "tools/report/mcnemar.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

unsigned digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
  require(false, "mcnemar", "'{}' is no hexadecimal digit", digit);
  return 0;
}

}  // namespace

double mcnemar_p_value(int64_t only_first, int64_t only_second) {
  require(only_first >= 0 && only_second >= 0, "mcnemar", "expected counts, got {} and {}",
          only_first, only_second);
  const auto n = static_cast<double>(only_first + only_second);
  const int64_t k = std::min(only_first, only_second);
  // From the largest term down: smaller ones are ratios of it, and soon too small to count.
  const auto largest = static_cast<double>(k);
  const double log_largest = std::lgamma(n + 1) - std::lgamma(largest + 1) -
                             std::lgamma(n - largest + 1) - n * std::numbers::ln2;
  double ratio = 1, sum = 0;
  for (int64_t i = k; i >= 0 && ratio > 1e-20; --i) {
    sum += ratio;
    ratio *= static_cast<double>(i) / (n - static_cast<double>(i) + 1);
  }
  return std::min(1.0, 2 * sum * std::exp(log_largest));
}

McNemar mcnemar(const std::string& first, const std::string& second, int64_t images) {
  const auto digits = static_cast<size_t>((images + 3) / 4);
  require(first.size() == digits && second.size() == digits, "mcnemar",
          "expected {} digits for {} images, got {} and {}", digits, images, first.size(),
          second.size());
  McNemar result;
  for (size_t i = 0; i < digits; ++i) {
    const unsigned a = digit_value(first[i]), b = digit_value(second[i]);
    result.only_first += std::popcount(a & ~b);
    result.only_second += std::popcount(b & ~a);
  }
  result.p = mcnemar_p_value(result.only_first, result.only_second);
  return result;
}

}  // namespace edgeprune
