#pragma once
// Steps without weights, on activations [N,H,W,C].

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Any layer but a convolution.
std::unique_ptr<FloatStep> map_step(const Layer& layer, int64_t batch);

}  // namespace edgeprune::inference
