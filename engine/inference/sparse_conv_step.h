#pragma once

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// A convolution of one group on CSR weights, activations [N,H,W,C].
std::unique_ptr<FloatStep> sparse_conv_step(const Layer& layer, int64_t images);

}  // namespace edgeprune::inference
