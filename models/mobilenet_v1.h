#pragma once

#include "engine/graph/graph.h"

namespace edgeprune {

/// MobileNetV1 (Howard et al. 2017, table 1) at a width multiplier, the last depthwise convolution with
/// stride 1 as in every implementation. Nodes are called as torchvision calls MobileNetV2's, a layer of
/// the table a module: "features.1.0.0" is the first depthwise convolution, "features.1.1.0" the
/// pointwise one behind it. Throws std::invalid_argument on sizes out of range (require_sensible()).
Graph mobilenet_v1(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);

}  // namespace edgeprune
