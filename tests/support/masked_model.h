#pragma once
// A small model to mask, and how much of it a mask takes.

#include <algorithm>
#include <cstdint>

#include "engine/nn/network.h"
#include "models/mobilenet_v2.h"
#include "pruning/masks.h"

namespace edgeprune::testing {

inline nn::Network small_model(uint64_t seed = 1) {
  return {mobilenet_v2(0.25, 32, 10), seed};
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
