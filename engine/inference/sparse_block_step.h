#pragma once
// A block of layers on sparse weights: the channels between them that carry nothing are left out
// (live_channels.h), the rest runs in bands or layer by layer.

#include <memory>

#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Whether layers i to i + 2 are such a block: a 1x1 convolution or the stem, a depthwise 3x3
/// convolution or the average pool, and a 1x1 convolution, each read by the next one alone.
bool is_sparse_block(const Graph& graph, size_t i);

/// The parts of the step are the three layers.
std::unique_ptr<FloatStep> sparse_block_step(const Layer& widen, const Layer& middle,
                                             const Layer& narrow, int64_t images);

}  // namespace edgeprune::inference
