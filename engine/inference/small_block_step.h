#pragma once
// A block of layers on a small map of one image (engine/kernels/panels/small_block.h). Large maps run
// in bands (band_step.h).

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Whether a block of a 1x1 convolution, a depthwise one and a 1x1 convolution, dense and each read by
/// the next one alone, is worth to run as one step.
bool small_block_pays(const Layer& widen, const Layer& depthwise, const Layer& narrow,
                      int64_t images);

/// Its parts are the three layers.
std::unique_ptr<FloatStep> small_block_step(const Layer& widen, const Layer& depthwise,
                                            const Layer& narrow);

}  // namespace edgeprune::inference
