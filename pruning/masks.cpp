#include "pruning/masks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"
#include "models/summary.h"

namespace edgeprune {
namespace {

/// Half to even, as Python's round() does in PyTorch's pruning.
int64_t rounded(double value) {
  return static_cast<int64_t>(std::nearbyint(value));
}

/// The positions of the round(fraction * count) smallest scores; among equals the first ones.
/// Scores of zero were pruned before.
std::vector<int64_t> smallest(const std::vector<double>& scores, double fraction,
                              const std::string& what) {
  require(fraction >= 0.0 && fraction < 1.0, "prune", "expected a sparsity in [0, 1), got {}",
          fraction);
  require(std::all_of(scores.begin(), scores.end(), [](double s) { return std::isfinite(s); }),
          "prune", "not all {} are finite numbers", what);
  const int64_t count = rounded(fraction * double(scores.size()));
  const int64_t zeros = std::count(scores.begin(), scores.end(), 0.0);
  require(zeros <= count, "prune", "{} of {} {} are zero already: choose a higher sparsity than {}",
          zeros, scores.size(), what, fraction);
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::nth_element(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
  });
  order.resize(static_cast<size_t>(count));
  return order;
}

}  // namespace

const char* to_string(Method method) {
  return method == Method::magnitude ? "magnitude" : "channel";
}

Method parse_method(const std::string& name) {
  if (name == "magnitude") return Method::magnitude;
  if (name == "channel") return Method::channel;
  throw std::invalid_argument(
      fmt::format("[method] expected magnitude or channel, got '{}'", name));
}

Masks magnitude_masks(const MobileNetV2& model, double fraction) {
  std::vector<double> scores;
  Masks masks;
  std::vector<std::pair<int64_t, float*>> starts;  // where each weight begins among all of them
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    Tensor& mask = masks[weight.name] = Tensor(value.shape(), 1.0f);
    starts.emplace_back(static_cast<int64_t>(scores.size()), mask.data());
    for (const float w : value.values()) scores.push_back(std::abs(w));
  }
  for (const int64_t position : smallest(scores, fraction, "prunable weights")) {
    const auto next =
        std::upper_bound(starts.begin(), starts.end(), position,
                         [](int64_t p, const auto& start) { return p < start.first; });
    const auto& [begin, mask] = *(next - 1);
    mask[position - begin] = 0.0f;
  }
  return masks;
}

Masks channel_masks(const MobileNetV2& model, double fraction) {
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    if (!weight.is_conv) continue;
    const Tensor& value = weight.variable.value();
    const int64_t channels = value.dim(0), size = value.count() / channels;
    std::vector<double> norms(static_cast<size_t>(channels), 0.0);
    for (int64_t i = 0; i < value.count(); ++i) {
      norms[i / size] += double(value.data()[i]) * value.data()[i];
    }
    Tensor& mask = masks[weight.name] = Tensor(value.shape(), 1.0f);
    for (const int64_t channel : smallest(norms, fraction, "channels of " + weight.name)) {
      std::fill_n(mask.data() + channel * size, size, 0.0f);
    }
  }
  return masks;
}

Masks make_masks(const MobileNetV2& model, Method method, double fraction) {
  return method == Method::magnitude ? magnitude_masks(model, fraction)
                                     : channel_masks(model, fraction);
}

Masks masks_of_zeros(const MobileNetV2& model) {
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    Tensor& mask = masks[weight.name] = Tensor(value.shape());
    std::transform(value.values().begin(), value.values().end(), mask.data(),
                   [](float w) { return w == 0.0f ? 0.0f : 1.0f; });
  }
  return masks;
}

void apply_masks(const Masks& masks, MobileNetV2& model) {
  for (PrunableWeight& weight : prunable_weights(model)) {
    const auto mask = masks.find(weight.name);
    if (mask == masks.end()) continue;
    for (int64_t i = 0; i < mask->second.count(); ++i) {
      if (mask->second.data()[i] == 0.0f) weight.variable.value().data()[i] = 0.0f;
    }
  }
}

void hold_masks(const Masks& masks, optim::Optimizer& optimizer) {
  for (const auto& [name, mask] : masks) optimizer.set_mask(name, mask);
}

std::vector<double> exact_steps(double target, double step) {
  require(target > 0 && target < 1 && step > 0, "exact_steps",
          "expected a target in (0, 1) and a positive step, got {} and {}", target, step);
  std::vector<double> steps;
  const double per_unit = 1.0 / step;  // 3 / 10 is 0.3, 3 * 0.1 is not
  for (int64_t i = 1; double(i) / per_unit < target - 1e-9; ++i)
    steps.push_back(double(i) / per_unit);
  steps.push_back(target);
  return steps;
}

}  // namespace edgeprune
