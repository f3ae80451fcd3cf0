#include "tools/measurement/statistics.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/base/random.h"

namespace edgeprune {

double median(std::vector<double> values) {
  require(!values.empty(), "median", "there are no values");
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), half, values.end());
  if (values.size() % 2 == 1) return *half;
  return (*std::max_element(values.begin(), half) + *half) / 2;
}

double percentile(const std::vector<double>& sorted, double share) {
  require(!sorted.empty(), "percentile", "there are no values");
  require(share > 0 && share <= 1, "percentile", "expected a share in (0, 1], got {}", share);
  // 0.9 * 10 is 9.000000000000002 in some roundings: the tenth value would be taken for the ninth.
  const auto rank = std::ceil(share * double(sorted.size()) - 1e-9);
  return sorted[static_cast<size_t>(std::max(1.0, rank)) - 1];
}

Interval median_interval(const std::vector<double>& values) {
  constexpr int kResamples = 1000;
  constexpr double kOutside = 0.025;  // at either end
  const double middle = median(values);
  Rng rng(0);
  std::vector<double> drawn(values.size()), medians;
  for (int i = 0; i < kResamples; ++i) {
    for (double& value : drawn) value = values[rng.below(values.size())];
    medians.push_back(median(drawn));
  }
  std::sort(medians.begin(), medians.end());
  return {middle, percentile(medians, kOutside), percentile(medians, 1 - kOutside)};
}

}  // namespace edgeprune
