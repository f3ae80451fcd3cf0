#pragma once

#include <memory>

#include "models/mobilenet_v2.h"

namespace edgeprune {

/// The same network with weights, statistics and mode of its own.
std::unique_ptr<MobileNetV2> copy_of(const MobileNetV2& model);

}  // namespace edgeprune
