#pragma once

#include "engine/graph/graph.h"

namespace edgeprune {

/// EfficientNet-Lite0 (Tan & Le 2019, B0 without squeeze-and-excite, ReLU6 for swish, stem and head of
/// fixed width), symmetric padding as in PyTorch's ports. Nodes are called as torchvision calls
/// MobileNetV3's. Throws std::invalid_argument on sizes out of range (require_sensible()).
Graph efficientnet_lite0(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);

}  // namespace edgeprune
