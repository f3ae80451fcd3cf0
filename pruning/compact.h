#pragma once
// Channels removed for good: smaller tensors instead of zeros.

#include <memory>

#include "pruning/group_plan.h"

namespace edgeprune {

/// The model without the channels that the plan removes. It computes what the model computes once
/// those channels are zero (group_masks()), in training, too; in evaluation also where they are
/// dead (plan_dead_channels()); rounding aside. Throws std::invalid_argument if the plan is for
/// another architecture.
std::unique_ptr<nn::Network> compact(const nn::Network& model, const ChannelPlan& plan);

/// Arrays by the names of a state_dict() without those channels; other names' arrays stay as they
/// are. A name may have a prefix that ends with '/': what an optimiser's state() holds for the
/// model becomes what it holds for the smaller one. Throws std::invalid_argument on an array that
/// has not the plan's channels.
std::map<std::string, Array> compact_arrays(const std::map<std::string, Array>& arrays,
                                            const ChannelPlan& plan);

}  // namespace edgeprune
