#pragma once

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// A layer on dense kernels, activations [N,H,W,C]. Throws std::invalid_argument if the layer has a
/// residual that its kernel cannot add.
std::unique_ptr<Step> channels_last_step(const Layer& layer, int64_t batch);

/// Whether that is a kernel of our own, not oneDNN's.
bool own_channels_last_step_exists(const Layer& layer);

/// A convolution by oneDNN.
std::unique_ptr<Step> onednn_step(const Layer& layer, int64_t batch);

/// Whether a layer is a 3x3 convolution that takes fewer products by minimal filtering
/// (kernels/simd/winograd.h), and the step that does.
bool winograd_pays(const Layer& layer, int64_t batch);
std::unique_ptr<Step> winograd_step(const Layer& layer, int64_t batch);

}  // namespace edgeprune::inference
