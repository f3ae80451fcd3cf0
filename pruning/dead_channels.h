#pragma once
// Which channels of a model do nothing, so that the network without them computes the same.

#include "pruning/group_plan.h"

namespace edgeprune {

/// Removes every channel that changes no logit in evaluation, on any image: wherever it is read, it
/// is exactly zero (its filters are zero, and so is what batch norm makes of that after ReLU6) or
/// meets zero weights only. Of a group that is dead altogether the first channel stays. The notes
/// say what keeps channels with zero filters from going: a constant of batch norm's bias, which the
/// zero padding of the next depthwise convolution keeps from being folded away, or another layer of
/// the stream that still writes them. Throws std::invalid_argument if a value of the model is not
/// finite.
ChannelPlan plan_dead_channels(const nn::Network& model);

}  // namespace edgeprune
