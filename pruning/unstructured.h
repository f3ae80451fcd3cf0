#pragma once

#include "pruning/masks.h"

namespace edgeprune {

/// make_masks() for the methods that prune single weights, magnitude and lamp.
Masks unstructured_masks(const nn::Network& model, Method method, double fraction, Base base,
                         const PruneLimits& limits);

}  // namespace edgeprune
