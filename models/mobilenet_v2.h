#pragma once
// MobileNetV2 (Sandler et al. 2018), under torchvision's names.

#include <nlohmann/json_fwd.hpp>

#include "engine/graph/graph.h"

namespace edgeprune {

/// The paper's table 2 at a width multiplier. Throws std::invalid_argument unless width is in (0, 16],
/// input_size in [32, 4096] and classes >= 2.
Graph mobilenet_v2(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);

/// The network that a checkpoint of before version 0.2 describes by its table of blocks: its metadata's
/// "architecture". Throws nlohmann::json::exception or std::invalid_argument on what is none.
Graph mobilenet_v2_of(const nlohmann::json& architecture);

}  // namespace edgeprune
