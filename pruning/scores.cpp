#include "pruning/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr bool criteria_in_order() {
  for (size_t i = 0; i < std::size(kCriteria); ++i) {
    if (static_cast<size_t>(kCriteria[i].method) != i) return false;
  }
  return std::size(kCriteria) == std::size(kMethods);
}
static_assert(criteria_in_order());

/// Which units are not zero. Throws if one is not finite.
std::vector<bool> alive_in(const Units& units) {
  std::vector<bool> alive(static_cast<size_t>(units.count), false);
  for (const Slice& slice : units.slices) {
    const float* values = slice.variable.value().data();
    units.for_each_value(slice, [&](int64_t i, size_t unit) {
      require(std::isfinite(values[i]), "prune", "not all {} are finite numbers ({})", units.what,
              slice.name);
      if (values[i] != 0.0f) alive[unit] = true;
    });
  }
  return alive;
}

}  // namespace

std::vector<Units> units_of(const nn::Network& model, Method method, WeightBlock block) {
  return is_structured(method) ? output_channels_of(model) : weights_of(model, block);
}

Scores scores(const std::vector<Units>& units, Method method, const Gradients& gradients) {
  std::vector<std::vector<bool>> alive;
  for (const Units& some : units) alive.push_back(alive_in(some));
  require(!needs_images(method) || gradients, "prune",
          "method {} measures gradients on images, and there are none", to_string(method));
  Scores all = criterion(method).score(units, gradients);
  for (size_t u = 0; u < units.size(); ++u) {
    for (size_t i = 0; i < all[u].size(); ++i) {
      double& score = all[u][i];
      require(std::isfinite(score), "prune", "the scores of {} by {} are not all finite numbers",
              units[u].name, to_string(method));
      // 0 is for what was pruned before, which no limit protects and every count includes.
      score = alive[u][i] ? std::max(score, std::numeric_limits<double>::min()) : 0;
    }
  }
  return all;
}

}  // namespace edgeprune
