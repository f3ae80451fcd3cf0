#pragma once
// Pruning in one call: which weights or channels go, and what becomes of them.

#include <memory>
#include <optional>
#include <string>

#include "pruning/group_plan.h"
#include "pruning/schedule.h"

namespace edgeprune {

/// What becomes of what is pruned.
enum class PruneMode {
  mask,        ///< weights become zero, or each layer's channels by themselves; shapes stay
  group_mask,  ///< channels become zero with all that makes and reads them; shapes stay
  compact,     ///< such groups are removed: a smaller model
};
inline constexpr Named<PruneMode> kPruneModes[] = {
    {PruneMode::mask, "mask", "zeroed, each layer by itself"},
    {PruneMode::group_mask, "group-mask",
     "zeroed together with all that makes and reads them: batch norm, depthwise filter, residual "
     "stream"},
    {PruneMode::compact, "compact", "such groups removed: a smaller model"}};
static_assert(in_order(kPruneModes));

inline const char* to_string(PruneMode mode) {
  return name_of(kPruneModes, mode);
}
/// Throws std::invalid_argument listing the choices.
inline PruneMode parse_prune_mode(const std::string& name) {
  return value_of("mode", kPruneModes, name);
}

struct PruneRequest {
  Method method = Method::magnitude;
  PruneMode mode = PruneMode::mask;  ///< all but mask are for channels
  PruningStep step = {};
  PruneLimits limits = {};
  GroupLimits groups = {};               ///< for the modes group_mask and compact
  WeightBlock block = WeightBlock::one;  ///< four_by_one is for unstructured methods
};

struct Pruned {
  std::unique_ptr<nn::Network> model;
  /// To hold in fine-tuning: every zero of the model, those from before included, and batch norm of
  /// channels that went with their group (masks_of_zeros()).
  Masks masks;
  std::optional<ChannelPlan> plan;  ///< for the modes group_mask and compact
};

/// One step. Fractions of `original` are of all of the model's weights (each layer's channels), for
/// groups of the channels of the unpruned() network. Throws std::invalid_argument if the mode is
/// or block is not for the method, if more is pruned already than is to be, if limits leave too little to prune
/// (unstructured) or let no group shrink that should; and what make_masks() and
/// plan_smallest_channels() throw. `samples` are for methods that need images.
Pruned prune(std::unique_ptr<nn::Network> model, const PruneRequest& request,
             const Samples& samples = {});

}  // namespace edgeprune
