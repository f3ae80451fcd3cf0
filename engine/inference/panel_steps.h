#pragma once
// Steps on panels (engine/kernels/panels/panel_layout.h), one column per pixel, images innermost.

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Whether panel_step() knows the layer: 1x1 and depthwise 3x3 convolutions and the pool.
bool panel_step_exists(const Layer& layer);
/// `sparse`: 1x1 convolutions run on CSR weights. Throws std::invalid_argument naming a layer that
/// it does not know.
std::unique_ptr<Step> panel_step(const Layer& layer, int64_t images, bool sparse);

/// Whether panel_stem_step() knows the layer, a 3x3 convolution of stride 2 over a few channels.
bool panel_stem_exists(const Layer& layer);
/// From [N,H,W,C] to panels.
std::unique_ptr<Step> panel_stem_step(const Layer& layer, int64_t images);

// Changes of layout; a map's shape counts only as input: batch, in_height, in_width, in_channels.
/// [N,H,W,C] to panels.
std::unique_ptr<Step> to_panels_step(const Conv2dShape& map);
/// A batch of images in panels of their own, one after the other, to panels of them all.
std::unique_ptr<Step> gather_images_step(const Conv2dShape& map);
/// Panels of classes x N to logits [N,classes].
std::unique_ptr<Step> from_panels_step(const Conv2dShape& map);

}  // namespace edgeprune::inference
