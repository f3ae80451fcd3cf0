#pragma once

#include "engine/graph/graph.h"

namespace edgeprune {

/// ResNets (He et al. 2016) under torchvision's names, a bottleneck's stride in its 3x3 convolution as
/// there; `width` multiplies all channels. Throw std::invalid_argument on sizes out of range
/// (require_sensible()).
Graph resnet18(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);
Graph resnet50(double width = 1.0, int64_t input_size = 64, int64_t classes = 10);

}  // namespace edgeprune
