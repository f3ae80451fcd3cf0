// Scores that the parameters' values give by themselves.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pruning/scores.h"

namespace edgeprune {
namespace {

/// Adds score(value) up over each unit's values.
template <typename Score>
Scores sums(const std::vector<Units>& units, const Score& score) {
  Scores all;
  for (const Units& some : units) {
    std::vector<double>& own = all.emplace_back(static_cast<size_t>(some.count), 0.0);
    for (const Slice& slice : some.slices) {
      const float* values = slice.variable.value().data();
      some.for_each_value(slice,
                          [&](int64_t i, size_t unit) { own[unit] += score(double(values[i])); });
    }
    count_as_whole_blocks(some, own);
  }
  return all;
}

/// Makes LAMP scores of squares.
void to_lamp(std::vector<double>& squares) {
  std::vector<size_t> order(squares.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Largest first; of equals the later one counts as the larger, so that the first ones go first.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return squares[a] != squares[b] ? squares[a] > squares[b] : a > b;
  });
  double sum = 0;
  for (const size_t i : order) {
    sum += squares[i];
    if (squares[i] != 0) squares[i] /= sum;
  }
}

}  // namespace

Scores absolute_values(const std::vector<Units>& units, const Gradients&) {
  return sums(units, [](double w) { return std::abs(w); });
}

/// Of L2 norms only the order counts: no roots.
Scores sums_of_squares(const std::vector<Units>& units, const Gradients&) {
  return sums(units, [](double w) { return w * w; });
}

/// w_u^2 / sum of w_v^2 over the weights of its layer that are no smaller (Lee et al. 2021,
/// "Layer-adaptive sparsity for the magnitude-based pruning"): the largest of every layer scores 1,
/// so that no layer dies early.
Scores lamp(const std::vector<Units>& units, const Gradients& gradients) {
  Scores all = sums_of_squares(units, gradients);
  for (std::vector<double>& own : all) to_lamp(own);
  return all;
}

}  // namespace edgeprune
