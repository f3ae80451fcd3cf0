// First-order Taylor importance (Molchanov et al. 2019, "Importance Estimation for Neural Network
// Pruning"): how much the loss would change, to first order, without the unit. For a unit of
// parameters w with gradients g it is (sum of g * w)^2, taken of each batch by itself, as gradients
// of either sign would cancel over many, and averaged over the batches.

#include "engine/base/check.h"
#include "pruning/scores.h"

namespace edgeprune {

Scores taylor(const std::vector<Units>& units, const Gradients& gradients) {
  Scores all;
  for (const Units& some : units) all.emplace_back(static_cast<size_t>(some.count), 0.0);
  std::vector<double> batch;
  int64_t batches = 0;
  gradients([&] {
    ++batches;
    for (size_t u = 0; u < units.size(); ++u) {
      batch.assign(all[u].size(), 0.0);
      for (const Slice& slice : units[u].slices) {
        const Tensor& gradient = slice.variable.grad();
        if (!gradient.defined()) continue;  // the loss does not depend on it
        const float *g = gradient.data(), *w = slice.variable.value().data();
        units[u].for_each_value(
            slice, [&](int64_t i, size_t unit) { batch[unit] += double(g[i]) * w[i]; });
      }
      for (size_t i = 0; i < batch.size(); ++i) all[u][i] += batch[i] * batch[i];
    }
  });
  require(batches > 0, "prune", "there are no batches to measure gradients on");
  for (size_t u = 0; u < units.size(); ++u) {
    for (double& score : all[u]) score /= double(batches);
    count_as_whole_blocks(units[u], all[u]);
  }
  return all;
}

}  // namespace edgeprune
