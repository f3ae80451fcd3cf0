#include "pruning/method.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "models/summary.h"

namespace edgeprune {
namespace {

constexpr size_t kMostNearNames = 6;

/// Levenshtein's: insertions, deletions and replacements that make one of the other.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// Layers that may have been meant: parts of what was asked for, or misspelt.
std::vector<std::string> near_names(const std::string& name,
                                    const std::vector<std::string>& layers) {
  std::vector<std::string> near;
  for (const std::string& layer : layers) {
    if (layer.starts_with(name + ".") || name.starts_with(layer + ".")) near.push_back(layer);
  }
  if (!near.empty()) return near;
  for (const std::string& layer : layers) {
    if (edit_distance(name, layer) <= 2) near.push_back(layer);
  }
  std::stable_sort(near.begin(), near.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  return near;
}

}  // namespace

std::string methods_that(bool (*are)(Method)) {
  std::vector<std::string> names;
  for (const auto& [method, name, meaning] : kMethods) {
    if (are(method)) names.push_back(name);
  }
  return listed(names);
}

void require_valid(const PruneLimits& limits, const nn::Network& model) {
  require(limits.min_density >= 0 && limits.min_density <= 1, "prune",
          "expected a minimum density in [0, 1], got {}", limits.min_density);
  if (limits.keep.empty()) return;
  std::vector<std::string> layers;
  for (const PrunableWeight& weight : prunable_weights(model)) layers.push_back(weight.layer());
  for (const std::string& name : limits.keep) {
    if (std::find(layers.begin(), layers.end(), name) != layers.end()) continue;
    std::vector<std::string> near = near_names(name, layers);
    require(!near.empty(), "prune",
            "there is no layer '{}' to keep: layers are called {}, {}, ... {} (edgeprune info "
            "lists them)",
            name, layers[0], layers[1], layers.back());
    const char* more = near.size() > kMostNearNames ? ", ..." : "";
    near.resize(std::min(near.size(), kMostNearNames));
    require(false, "prune", "there is no layer '{}' to keep; there is {}{}", name,
            fmt::join(near, ", "), more);
  }
}

bool keeps(const PruneLimits& limits, const std::string& layer) {
  return std::find(limits.keep.begin(), limits.keep.end(), layer) != limits.keep.end();
}

int64_t least_kept(const PruneLimits& limits, int64_t count) {
  // 0.1 * 30 is a bit more than 3: what is whole but for rounding is whole.
  return static_cast<int64_t>(std::ceil(limits.min_density * double(count) - 1e-9));
}

}  // namespace edgeprune
