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

bool before(const std::vector<double>& scores, int64_t a, int64_t b) {
  const double left = scores[size_t(a)], right = scores[size_t(b)];
  return left != right ? left < right : a < b;
}

int64_t zeros_in(const std::vector<double>& scores) {
  return std::count(scores.begin(), scores.end(), 0.0);
}

/// How many may be zero: limits hold the others, but for what is zero already.
int64_t most_of(const Units& units, const std::vector<double>& scores, const PruneLimits& limits) {
  const int64_t most =
      keeps(limits, units.name) ? 0 : units.count - least_kept(limits, units.count);
  return std::max(most, zeros_in(scores));
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
  require_reachable(zeros_in(scores), std::ssize(scores), count, what);
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::nth_element(order.begin(), order.begin() + count, order.end(),
                   [&](int64_t a, int64_t b) { return before(scores, a, b); });
  order.resize(static_cast<size_t>(count));
  return order;
}

Selection smallest_of_all(const std::vector<Units>& units, const Scores& scores, double fraction,
                          Base base, const PruneLimits& limits) {
  struct Place {
    size_t units;
    int64_t position;
  };
  std::vector<double> offered;  // all that may go, in order
  std::vector<Place> places;
  int64_t total = 0, zeros = 0;
  for (size_t u = 0; u < units.size(); ++u) {
    total += units[u].count;
    zeros += zeros_in(scores[u]);
    std::vector<int64_t> own =
        smallest(scores[u], most_of(units[u], scores[u], limits), units[u].what);
    std::sort(own.begin(), own.end());
    for (const int64_t position : own) {
      offered.push_back(scores[u][size_t(position)]);
      places.push_back({u, position});
    }
  }
  const std::string what = units.empty() ? "units" : units.front().what;
  const int64_t count = count_of(fraction, base, total, zeros, what), most = std::ssize(offered);
  require(count <= most, "prune",
          "{} of {} {} are to be zero, but with the layers kept and the minimum density at the "
          "most {} can be, a sparsity of {:.4f}",
          count, total, what, most, std::floor(1e4 * double(most) / double(total)) / 1e4);
  Selection gone(units.size());
  for (const int64_t i : smallest(offered, count, what)) {
    gone[places[size_t(i)].units].push_back(places[size_t(i)].position);
  }
  return gone;
}

Selection smallest_of_each(const std::vector<Units>& units, const Scores& scores, double fraction,
                           Base base, const PruneLimits& limits) {
  Selection gone;
  for (size_t u = 0; u < units.size(); ++u) {
    const auto& [name, what, count, slices] = units[u];
    const int64_t zeros = zeros_in(scores[u]);
    const int64_t wanted = count_of(fraction, base, count, zeros, what);
    gone.push_back(
        smallest(scores[u], std::min(wanted, most_of(units[u], scores[u], limits)), what));
  }
  return gone;
}

}  // namespace edgeprune
