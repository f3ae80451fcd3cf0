#pragma once
// Which weights go, as masks over the prunable weights. (Channels that go together, batch norm
// included, are group_plan.h's.)

#include <map>
#include <string>

#include "engine/nn/network.h"
#include "engine/optim/optimizer.h"
#include "pruning/method.h"

namespace edgeprune {

/// Per parameter name a tensor of its shape: 1 keeps, 0 prunes.
using Masks = std::map<std::string, Tensor>;

/// Masks by a method; the smallest scores (scores.h) go, ties by position in the network:
/// - magnitude: of all prunable weights together, those of smallest absolute value (as
///   torch.nn.utils.prune.global_unstructured with L1Unstructured).
/// - lamp, taylor: of all together, those of smallest such score (magnitude.cpp, taylor.cpp).
/// - channel: in every Conv2d, depthwise ones included, the output channels of smallest L2 norm;
///   the Linear head is left alone (as torch.nn.utils.prune.ln_structured with n=2, dim=0). Shapes
///   stay.
/// - channel-taylor: in every Conv2d likewise, those of smallest Taylor score over their weights.
///
/// Counts are exact, round(fraction * count). What is zero already stays zero, and counts towards a
/// fraction of the `original` count: repeated pruning only ever adds. Limits do not change how many
/// unstructured weights go, others go instead; of channels fewer go.
///
/// In blocks (for unstructured methods) fractions and counts are of blocks.
///
/// Throws std::invalid_argument unless 0 <= fraction < 1, if more than that is zero already, if the
/// limits are not valid or leave fewer weights to prune; and what scores() throws. `gradients` are
/// the model's own, for methods that need images.
Masks make_masks(const nn::Network& model, Method method, double fraction,
                 Base base = Base::original, const PruneLimits& limits = {},
                 const Gradients& gradients = {}, WeightBlock block = WeightBlock::one);

/// The masks of a model that was pruned before: its zero weights stay zero, and so does batch norm
/// of a channel that went with its group, known by weight and bias both being zero; where batch norm has become part
/// of the convolution, the bias of a channel without weights that is zero.
Masks masks_of_zeros(const nn::Network& model);

/// Zeroes what is masked.
void apply_masks(const Masks& masks, nn::Network& model);
/// From now on the optimiser keeps them zero.
void hold_masks(const Masks& masks, optim::Optimizer& optimizer);

}  // namespace edgeprune
