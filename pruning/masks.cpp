#include "pruning/masks.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "models/summary.h"
#include "pruning/smallest.h"

namespace edgeprune {

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
  const int64_t count = share_of(fraction, scores.size());
  for (const int64_t position : smallest(scores, count, "prunable weights")) {
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
    const int64_t count = share_of(fraction, norms.size());
    for (const int64_t channel : smallest(norms, count, "channels of " + weight.name)) {
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
  for (const auto& unit : model.units()) {
    const Tensor &gamma = unit->norm.weight.value(), &beta = unit->norm.bias.value();
    Tensor mask(gamma.shape(), 1.0f);
    bool any = false;
    for (int64_t c = 0; c < mask.count(); ++c) {
      if (gamma.data()[c] != 0.0f || beta.data()[c] != 0.0f) continue;
      mask.data()[c] = 0.0f;
      any = true;
    }
    if (!any) continue;
    masks[unit->spec.norm + ".weight"] = mask;
    masks[unit->spec.norm + ".bias"] = mask.clone();
  }
  return masks;
}

void apply_masks(const Masks& masks, MobileNetV2& model) {
  for (NamedVariable& parameter : model.parameters()) {
    const auto mask = masks.find(parameter.name);
    if (mask == masks.end()) continue;
    for (int64_t i = 0; i < mask->second.count(); ++i) {
      if (mask->second.data()[i] == 0.0f) parameter.variable.value().data()[i] = 0.0f;
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
