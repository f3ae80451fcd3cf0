#pragma once

#include <memory>

#include "engine/inference/graph.h"
#include "engine/nn/network.h"

namespace edgeprune {

/// The same function, in evaluation, with fewer nodes. Batch norm in evaluation is gamma * (x - mean) /
/// sqrt(var + eps) + beta, an affine map per channel, so it becomes part of the convolution that it
/// alone reads: weight * s and beta - mean * s with s = gamma / sqrt(var + eps). Zero weights stay zero.
/// Behind anything else a batch norm stays.
std::unique_ptr<nn::Network> without_batch_norm(const nn::Network& model);

/// The trained network for inference, without batch norm. Activations and sums become part of the
/// convolution before them where nothing else reads that; what is behind none becomes a layer of its own.
/// Throws std::invalid_argument, naming the node, on a sum or a product that reads the images.
inference::Graph fold_batch_norm(const nn::Network& model);

/// A network's layers for inference, and by its nodes which of them each has become part of; -1: the images.
struct Folded {
  inference::Graph graph;
  std::vector<int> layer_of_node;
};
/// Of a network without batch norm, throws likewise. (A batch norm would become a layer of its own.)
Folded folded(const nn::Network& model);

}  // namespace edgeprune
