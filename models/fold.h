#pragma once

#include "engine/inference/graph.h"
#include "engine/nn/network.h"

namespace edgeprune {

/// The trained network for inference. Batch norm in evaluation mode is gamma * (x - mean) /
/// sqrt(var + eps) + beta, an affine map per channel, so it folds into the convolution before it:
/// weight * s and beta - mean * s with s = gamma / sqrt(var + eps). Zero weights stay zero. Activations
/// and sums become part of the convolution before them where nothing else reads that; what is behind
/// none becomes a layer of its own. Throws std::invalid_argument, naming the node, on a sum or a product
/// that reads the images.
inference::Graph fold_batch_norm(const nn::Network& model);

}  // namespace edgeprune
