#include "pruning/masks.h"

#include <algorithm>

#include "models/summary.h"
#include "pruning/smallest.h"
#include "pruning/unstructured.h"

namespace edgeprune {

namespace {

Masks channel_masks(const nn::Network& model, double fraction, Base base,
                    const PruneLimits& limits) {
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    if (!weight.is_conv) continue;
    const Tensor& value = weight.variable.value();
    const int64_t channels = value.dim(0), size = value.count() / channels;
    std::vector<double> norms(static_cast<size_t>(channels), 0.0);
    for (int64_t i = 0; i < value.count(); ++i) {
      norms[i / size] += double(value.data()[i]) * value.data()[i];
    }
    const std::string what = "channels of " + weight.name;
    const int64_t zeros = std::count(norms.begin(), norms.end(), 0.0),
                  most =
                      keeps(limits, weight.layer()) ? 0 : channels - least_kept(limits, channels),
                  count = std::min(count_of(fraction, base, channels, zeros, what), most);
    Tensor& mask = masks[weight.name] = Tensor(value.shape(), 1.0f);
    for (const int64_t channel : smallest(norms, std::max(count, zeros), what)) {
      std::fill_n(mask.data() + channel * size, size, 0.0f);
    }
  }
  return masks;
}

}  // namespace

Masks make_masks(const nn::Network& model, Method method, double fraction, Base base,
                 const PruneLimits& limits) {
  require_valid(limits, model);
  return is_structured(method) ? channel_masks(model, fraction, base, limits)
                               : unstructured_masks(model, method, fraction, base, limits);
}

Masks masks_of_zeros(const nn::Network& model) {
  Masks masks;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    Tensor& mask = masks[weight.name] = Tensor(value.shape());
    std::transform(value.values().begin(), value.values().end(), mask.data(),
                   [](float w) { return w == 0.0f ? 0.0f : 1.0f; });
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
