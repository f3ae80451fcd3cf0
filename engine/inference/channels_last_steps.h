#pragma once

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// A layer on dense kernels, activations [N,H,W,C]: depthwise ones and what has no weights on our own,
/// other convolutions on oneDNN's. Throws std::invalid_argument if the layer has a residual that its
/// kernel cannot add.
std::unique_ptr<FloatStep> channels_last_step(const Layer& layer, int64_t batch);

/// Whether that is a kernel of our own, not oneDNN's.
bool own_channels_last_step_exists(const Layer& layer);

/// A convolution by oneDNN.
std::unique_ptr<FloatStep> onednn_step(const Layer& layer, int64_t batch);

/// All of it on our own kernels, but for convolutions of several groups; 3x3 ones by minimal filtering
/// where that pays (kernels/simd/winograd.h).
std::unique_ptr<FloatStep> dense_channels_last_step(const Layer& layer, int64_t batch);

}  // namespace edgeprune::inference
