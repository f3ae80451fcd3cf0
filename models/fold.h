#pragma once

#include "engine/inference/graph.h"
#include "models/mobilenet_v2.h"

namespace edgeprune {

/// The trained network for inference. Batch norm in evaluation mode is gamma * (x - mean) /
/// sqrt(var + eps) + beta, an affine map per channel, so it folds into the convolution before it:
/// weight * s and beta - mean * s with s = gamma / sqrt(var + eps). Zero weights stay zero.
inference::Graph fold_batch_norm(const MobileNetV2& model);

}  // namespace edgeprune
