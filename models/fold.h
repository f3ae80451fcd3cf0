#pragma once

#include "engine/inference/graph.h"
#include "engine/nn/network.h"

namespace edgeprune {

/// The trained network for inference. Batch norm in evaluation mode is gamma * (x - mean) /
/// sqrt(var + eps) + beta, an affine map per channel, so it folds into the convolution before it:
/// weight * s and beta - mean * s with s = gamma / sqrt(var + eps). Zero weights stay zero. Activations
/// and sums become part of the convolution before them where nothing else reads that. Throws
/// std::invalid_argument, naming the node, on a batch norm without a convolution of its own.
inference::Graph fold_batch_norm(const nn::Network& model);

}  // namespace edgeprune
