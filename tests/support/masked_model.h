#pragma once
// A small model to mask, and how much of it a mask takes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "pruning/masks.h"

namespace edgeprune::testing {

inline nn::Network small_model(uint64_t seed = 1) {
  return {mobilenet_v2(0.25, 32, 10), seed};
}

/// Gradients for methods that need images, without images: each parameter's is its own value, so
/// that Taylor scores order weights by magnitude and channels by L2 norm.
inline Gradients gradients_like_values(const nn::Network& model) {
  return [&model](const std::function<void()>& after_batch) {
    for (NamedVariable& parameter : model.parameters()) {
      parameter.variable.clear_grad();
      parameter.variable.backward(parameter.variable.value().clone());
    }
    after_batch();
  };
}
inline void samples_like_values(nn::Network& model, const std::function<void()>& after_batch) {
  gradients_like_values(model)(after_batch);
}

/// make_masks() by whatever method.
inline Masks masks_by(Method method, const nn::Network& model, double fraction,
                      Base base = Base::original, const PruneLimits& limits = {}) {
  return make_masks(model, method, fraction, base, limits, gradients_like_values(model));
}

/// A test's name has no '-'.
inline std::string test_name(const ::testing::TestParamInfo<Method>& method) {
  std::string name = to_string(method.param);
  std::ranges::replace(name, '-', '_');
  return name;
}

inline int64_t count_zeros(const Tensor& tensor) {
  return std::count(tensor.values().begin(), tensor.values().end(), 0.0f);
}

inline int64_t count_zeros(const Masks& masks) {
  int64_t zeros = 0;
  for (const auto& [name, mask] : masks) zeros += count_zeros(mask);
  return zeros;
}

}  // namespace edgeprune::testing
