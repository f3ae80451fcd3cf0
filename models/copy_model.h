#pragma once

#include <memory>

#include "engine/nn/network.h"

namespace edgeprune {

/// The same network with weights, statistics and mode of its own.
std::unique_ptr<nn::Network> copy_of(const nn::Network& model);

}  // namespace edgeprune
