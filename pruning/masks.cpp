#include "pruning/masks.h"

#include <algorithm>

#include "models/summary.h"
#include "pruning/scores.h"
#include "pruning/smallest.h"

namespace edgeprune {

Masks make_masks(const nn::Network& model, Method method, double fraction, Base base,
                 const PruneLimits& limits, const Gradients& gradients, WeightBlock block) {
  require_valid(limits, model);
  const std::vector<Units> units = units_of(model, method, block);
  const Scores all = scores(units, method, gradients);
  const Selection gone = is_structured(method)
                             ? smallest_of_each(units, all, fraction, base, limits)
                             : smallest_of_all(units, all, fraction, base, limits);
  Masks masks;
  for (size_t u = 0; u < units.size(); ++u) {
    const Slice& weight = units[u].slices.front();
    Tensor& mask = masks[weight.name] = Tensor(weight.variable.shape(), 1.0f);
    std::vector<bool> goes(static_cast<size_t>(units[u].count), false);
    for (const int64_t unit : gone[u]) goes[static_cast<size_t>(unit)] = true;
    units[u].for_each_value(weight, [&](int64_t i, size_t unit) {
      if (goes[unit]) mask.data()[i] = 0.0f;
    });
  }
  return masks;
}

Masks masks_of_zeros(const nn::Network& model) {
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    Tensor& mask = masks[weight.name] = Tensor(value.shape());
    std::transform(value.values().begin(), value.values().end(), mask.data(),
                   [](float w) { return w == 0.0f ? 0.0f : 1.0f; });
  }
  for (const auto& layer : model.convolutions()) {
    if (!layer->bias.defined()) continue;
    const Tensor &bias = layer->bias.value(), &weights = masks.at(layer->name + ".weight");
    const int64_t per_row = weights.count() / bias.count();
    Tensor mask(bias.shape(), 1.0f);
    for (int64_t c = 0; c < bias.count(); ++c) {
      const auto row = weights.values().subspan(size_t(c * per_row), size_t(per_row));
      const bool left = std::ranges::any_of(row, [](float kept) { return kept != 0.0f; });
      if (!left && bias.data()[c] == 0.0f) mask.data()[c] = 0.0f;
    }
    if (std::ranges::count(mask.values(), 0.0f) > 0) masks[layer->name + ".bias"] = mask;
  }
  for (const auto& norm : model.norms()) {
    const Tensor &gamma = norm->weight.value(), &beta = norm->bias.value();
    Tensor mask(gamma.shape(), 1.0f);
    bool any = false;
    for (int64_t c = 0; c < mask.count(); ++c) {
      if (gamma.data()[c] != 0.0f || beta.data()[c] != 0.0f) continue;
      mask.data()[c] = 0.0f;
      any = true;
    }
    if (!any) continue;
    masks[norm->name + ".weight"] = mask;
    masks[norm->name + ".bias"] = mask.clone();
  }
  return masks;
}

void apply_masks(const Masks& masks, nn::Network& model) {
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

}  // namespace edgeprune
