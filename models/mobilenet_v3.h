#pragma once

#include "engine/graph/graph.h"

namespace edgeprune {

/// MobileNetV3 (Howard et al. 2019, tables 1 and 2) at a width multiplier, under torchvision's names.
/// Throw std::invalid_argument on sizes out of range (require_sensible()).
Graph mobilenet_v3_large(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);
Graph mobilenet_v3_small(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);

}  // namespace edgeprune
