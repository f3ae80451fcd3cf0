#include "pruning/unstructured.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "models/summary.h"
#include "pruning/smallest.h"

namespace edgeprune {
namespace {

/// A layer's weights among all of them.
struct Layer {
  std::string name;
  int64_t begin = 0, count = 0;
  float* mask = nullptr;
};

/// Makes LAMP scores of absolute values.
void to_lamp(std::vector<double>::iterator begin, std::vector<double>::iterator end) {
  std::vector<int64_t> order(static_cast<size_t>(end - begin));
  std::iota(order.begin(), order.end(), int64_t{0});
  // Largest first; of equals the later one counts as the larger, so that the first ones go first.
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return begin[a] != begin[b] ? begin[a] > begin[b] : a > b;
  });
  double sum = 0;
  for (const int64_t i : order) {
    const double squared = begin[i] * begin[i];
    sum += squared;
    begin[i] = squared == 0 ? 0 : squared / sum;
  }
}

/// Where weights may go, in order: everywhere but where limits hold them. What is zero is in it.
std::vector<int64_t> candidates(const std::vector<Layer>& layers, const std::vector<double>& scores,
                                const PruneLimits& limits) {
  std::vector<int64_t> all;
  all.reserve(scores.size());
  for (const Layer& layer : layers) {
    const int64_t end = layer.begin + layer.count;
    const int64_t zeros = std::count(scores.begin() + layer.begin, scores.begin() + end, 0.0);
    int64_t most = keeps(limits, layer.name) ? 0 : layer.count - least_kept(limits, layer.count);
    most = std::max(most, zeros);
    std::vector<int64_t> own(static_cast<size_t>(layer.count));
    std::iota(own.begin(), own.end(), layer.begin);
    if (most < layer.count) {
      std::nth_element(own.begin(), own.begin() + most, own.end(), [&](int64_t a, int64_t b) {
        return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
      });
      own.resize(static_cast<size_t>(most));
      std::sort(own.begin(), own.end());
    }
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

}  // namespace

Masks unstructured_masks(const nn::Network& model, Method method, double fraction, Base base,
                         const PruneLimits& limits) {
  std::vector<double> scores;
  std::vector<Layer> layers;
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    Tensor& mask = masks[weight.name] = Tensor(value.shape(), 1.0f);
    layers.push_back({weight.layer(), std::ssize(scores), value.count(), mask.data()});
    for (const float w : value.values()) {
      require(std::isfinite(w), "prune", "not all prunable weights are finite numbers ({})",
              weight.name);
      scores.push_back(std::abs(double(w)));
    }
    if (method == Method::lamp) to_lamp(scores.end() - value.count(), scores.end());
  }
  const auto total = std::ssize(scores);
  const int64_t zeros = std::count(scores.begin(), scores.end(), 0.0);
  const int64_t count = count_of(fraction, base, total, zeros, "prunable weights");
  const std::vector<int64_t> positions = candidates(layers, scores, limits);
  const auto most = std::ssize(positions);
  require(count <= most, "prune",
          "{} of {} prunable weights are to be zero, but with the layers kept and the minimum "
          "density at the most {} can be, a sparsity of {:.4f}",
          count, total, most, std::floor(1e4 * double(most) / double(total)) / 1e4);
  std::vector<double> offered;
  offered.reserve(positions.size());
  for (const int64_t position : positions) offered.push_back(scores[size_t(position)]);
  for (const int64_t i : smallest(offered, count, "prunable weights")) {
    const int64_t position = positions[size_t(i)];
    const auto next =
        std::upper_bound(layers.begin(), layers.end(), position,
                         [](int64_t p, const Layer& layer) { return p < layer.begin; });
    const Layer& layer = *(next - 1);
    layer.mask[position - layer.begin] = 0.0f;
  }
  return masks;
}

}  // namespace edgeprune
