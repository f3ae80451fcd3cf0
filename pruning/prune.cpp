#include "pruning/prune.h"

#include <algorithm>

#include "engine/base/check.h"
#include "pruning/compact.h"

namespace edgeprune {
namespace {

/// Nothing goes although something should: rounding to nothing is no error, limits are.
void require_some_go(const ChannelPlan& plan, const PruningStep& step) {
  if (removed_channels(plan) > 0) return;
  const auto held = std::find_if(plan.begin(), plan.end(),
                                 [](const GroupPlan& planned) { return !planned.note.empty(); });
  require(held == plan.end(), "prune", "no group can shrink by {} of its {} channels ({}: {})",
          step.fraction, to_string(step.base), held == plan.end() ? "" : held->group.name,
          held == plan.end() ? "" : held->note);
}

}  // namespace

Pruned prune(std::unique_ptr<nn::Network> model, const PruneRequest& request,
             const Samples& samples) {
  const auto& [method, mode, step, limits, groups, block] = request;
  require(block == WeightBlock::one || !is_structured(method), "prune",
          "blocks of {} are for weights, not for method {}", to_string(block), to_string(method));
  Gradients gradients;
  if (samples) gradients = [&](const auto& after_batch) { samples(*model, after_batch); };
  Pruned pruned;
  if (mode == PruneMode::mask) {
    apply_masks(make_masks(*model, method, step.fraction, step.base, limits, gradients, block),
                *model);
  } else {
    require(is_structured(method), "prune", "mode {} is for method {}, not {}", to_string(mode),
            methods_that(is_structured), to_string(method));
    pruned.plan =
        plan_smallest_channels(*model, step.fraction, groups, step.base, limits, method, gradients);
    require_some_go(*pruned.plan, step);
    if (mode == PruneMode::compact) {
      model = compact(*model, *pruned.plan);
    } else {
      apply_masks(group_masks(*model, *pruned.plan), *model);
    }
  }
  pruned.masks = masks_of_zeros(*model);
  pruned.model = std::move(model);
  return pruned;
}

}  // namespace edgeprune
