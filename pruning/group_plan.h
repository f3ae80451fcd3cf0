#pragma once
// Which channels go when they go by groups (models/channel_groups.h), chosen by their scores.

#include "models/channel_groups.h"
#include "pruning/masks.h"

namespace edgeprune {

/// What becomes of a group.
struct GroupPlan {
  ChannelGroup group;
  std::vector<int64_t> kept;  ///< channels that stay, ascending, at least one
  std::string note;  ///< why no more go than these, as a phrase; empty: nothing stands in the way
};
/// One for every group, in the order of channel_groups().
using ChannelPlan = std::vector<GroupPlan>;

struct GroupLimits {
  /// Groups of more channels keep a multiple of this, so that kernels fill their vectors: the count
  /// that stays is rounded up, or stays as it is if that is more than there are.
  int64_t round_to = 1;
  /// No group keeps fewer, unless it has fewer.
  int64_t min_channels = 1;
};

/// In every group the round(fraction * channels) channels of smallest score go, up to the limits;
/// the score (by default the L2 norm) is over all parameters that belong to the channel, batch
/// norms' included, so that what went before has score zero and counts. Ties go by position.
/// Fractions of `original` are of the channels of the unpruned() network, and those which the model
/// lacks count as well; of `remaining`: of the channels that are there and not zero. `method` is one
/// for channels. Throws std::invalid_argument unless 0 <= fraction < 1 and the limits are valid, if
/// more than that has gone already; and what scores() throws.
ChannelPlan plan_smallest_channels(const nn::Network& model, double fraction,
                                   const GroupLimits& limits = {}, Base base = Base::original,
                                   const PruneLimits& layer_limits = {},
                                   Method method = Method::channel,
                                   const Gradients& gradients = {});

/// Masks over weights and batch norms' parameters that zero the channels which the plan removes.
/// Such a channel is exactly zero wherever it is read, in training and evaluation, whatever the
/// running statistics are: batch norm's weight and bias are zero, and ReLU6 keeps zero.
Masks group_masks(const nn::Network& model, const ChannelPlan& plan);

/// All channels that the plan removes.
int64_t removed_channels(const ChannelPlan& plan);

}  // namespace edgeprune
