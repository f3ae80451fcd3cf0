#include "pruning/smallest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

void require_reachable(int64_t zeros, int64_t total, int64_t count, const std::string& what) {
  require(zeros <= count, "prune",
          "{} of {} {} are zero already, {} are to be: choose a higher sparsity", zeros, total,
          what, count);
}

}  // namespace

int64_t share_of(double fraction, size_t count) {
  require(fraction >= 0.0 && fraction < 1.0, "prune", "expected a sparsity in [0, 1), got {}",
          fraction);
  return static_cast<int64_t>(std::nearbyint(fraction * double(count)));
}

int64_t count_of(double fraction, Base base, int64_t total, int64_t zeros,
                 const std::string& what) {
  if (base == Base::remaining)
    return zeros + share_of(fraction, static_cast<size_t>(total - zeros));
  const int64_t count = share_of(fraction, static_cast<size_t>(total));
  require_reachable(zeros, total, count, what);
  return count;
}

std::vector<int64_t> smallest(const std::vector<double>& scores, int64_t count,
                              const std::string& what) {
  require(std::all_of(scores.begin(), scores.end(), [](double s) { return std::isfinite(s); }),
          "prune", "not all {} are finite numbers", what);
  const int64_t zeros = std::count(scores.begin(), scores.end(), 0.0);
  require_reachable(zeros, std::ssize(scores), count, what);
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::nth_element(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
  });
  order.resize(static_cast<size_t>(count));
  return order;
}

}  // namespace edgeprune
