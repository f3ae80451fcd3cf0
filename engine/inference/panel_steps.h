#pragma once
// The sparse engine's steps: activations in panels (engine/kernels/panels/panel_layout.h), one
// column per pixel, images innermost.

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Whether sparse_step() knows the layer: 1x1 and depthwise 3x3 convolutions and the pool.
bool sparse_step_exists(const Layer& layer);
/// Throws std::invalid_argument naming a layer that it does not know.
std::unique_ptr<Step> sparse_step(const Layer& layer, int64_t batch);

/// [N,H,W,C], the input of a layer of that shape, to panels.
std::unique_ptr<Step> to_panels_step(const Conv2dShape& shape, int64_t batch);
/// Panels of classes x batch to logits [N,classes].
std::unique_ptr<Step> from_panels_step(int64_t classes, int64_t batch);

}  // namespace edgeprune::inference
