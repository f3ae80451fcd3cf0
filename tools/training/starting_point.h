#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace edgeprune {

/// A MobileNetV2 of width 1.0 at 64x64 for these classes, from pretrained weights
/// (load_pretrained()) or, for "random", from `seed`; its history says so. `say` hears what became
/// of the head. Throws what load_pretrained() throws.
Checkpoint start_from_weights(const std::string& weights, const std::vector<std::string>& classes,
                              uint64_t seed, const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
