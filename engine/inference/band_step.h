#pragma once
// A block of layers that runs a band of rows at a time: what widens a map (a 1x1 convolution, a
// stem), the depthwise convolution on it, and the 1x1 convolution that narrows it again. The wide
// maps never exist as a whole: at 224x224 they would take 4.8 MB each.

#include <memory>

#include "engine/inference/panel_steps.h"

namespace edgeprune::inference {

/// Whether the depthwise layer's input, in panels, is worth to be made band by band on the threads
/// in force.
bool band_pays(const Conv2dShape& depthwise, int64_t images);

/// `widen` is of the layer whose output the depthwise layer reads, `narrow` of the one that reads
/// the depthwise layer's; nobody else reads either. The parts of the step are those three.
std::unique_ptr<FloatStep> band_step(std::unique_ptr<PanelStep> widen, const Layer& depthwise,
                                     std::unique_ptr<PointwiseStep> narrow, int64_t images);

}  // namespace edgeprune::inference
