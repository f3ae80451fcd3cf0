#include "pruning/group_plan.h"

#include <algorithm>

#include "engine/base/check.h"
#include "pruning/scores.h"
#include "pruning/smallest.h"

namespace edgeprune {
namespace {

/// The layer to be kept that makes or reads the group's channels; empty if there is none.
std::string kept_layer(const ChannelGroup& group, const PruneLimits& limits) {
  for (const auto& [tensor, axis] : group.slices) {
    const std::string layer = tensor.substr(0, tensor.rfind('.'));
    if (keeps(limits, layer)) return layer;
  }
  return "";
}

/// A group in numbers.
struct Counts {
  int64_t original, channels, alive;  ///< before pruning, now, now and not zero
};

/// How many channels stay of those alive, and why not fewer.
int64_t count_kept(const ChannelGroup& group, const Counts& counts, int64_t wanted,
                   const GroupLimits& limits, const PruneLimits& layer_limits, std::string& note) {
  if (const std::string layer = kept_layer(group, layer_limits); !layer.empty()) {
    if (wanted < counts.alive) note = fmt::format("{} is kept as it is", layer);
    return std::max<int64_t>(1, counts.alive);
  }
  int64_t kept = wanted;
  if (counts.channels > limits.round_to && kept % limits.round_to != 0) {
    kept = std::min(counts.channels, (kept / limits.round_to + 1) * limits.round_to);
    note = fmt::format("{} rounded up to a multiple of {}", wanted, limits.round_to);
    if (kept % limits.round_to != 0) note += " would be more than there are";
  }
  const int64_t least = std::min(
      counts.channels, std::max(limits.min_channels, least_kept(layer_limits, counts.original)));
  if (kept < least) {
    kept = least;
    note = least == 1 ? "a group's last channel cannot go"
                      : fmt::format("at least {} channels stay", least);
  }
  if (kept > counts.alive && counts.alive > 0) {  // other limits held when these were zeroed
    kept = counts.alive;
    note = fmt::format("no more than {} are not zero", kept);
  }
  return kept;
}

}  // namespace

ChannelPlan plan_smallest_channels(const nn::Network& model, double fraction,
                                   const GroupLimits& limits, Base base,
                                   const PruneLimits& layer_limits, Method method,
                                   const Gradients& gradients) {
  require(limits.round_to > 0 && limits.min_channels > 0, "prune",
          "expected positive limits, got multiples of {} and at least {} channels", limits.round_to,
          limits.min_channels);
  require_valid(layer_limits, model);
  std::vector<ChannelGroup> groups = channel_groups(model.graph());
  const Scores all = scores(channels_of(model, groups), method, gradients);
  const std::vector<ChannelGroup> original = channel_groups(unpruned(model.graph()));
  ChannelPlan plan;
  for (size_t g = 0; g < groups.size(); ++g) {
    ChannelGroup& group = groups[g];
    const std::vector<double>& own = all[g];
    const int64_t alive = group.channels - std::count(own.begin(), own.end(), 0.0);
    const Counts counts{original[g].channels, group.channels, alive};
    const int64_t count = count_of(fraction, base, counts.original, counts.original - alive,
                                   "channels of " + group.name);
    GroupPlan& planned = plan.emplace_back();
    const int64_t kept =
        count_kept(group, counts, counts.original - count, limits, layer_limits, planned.note);
    std::vector<bool> goes(own.size(), false);
    for (const int64_t channel :
         smallest(own, group.channels - kept, "channels of " + group.name)) {
      goes[static_cast<size_t>(channel)] = true;
    }
    for (int64_t channel = 0; channel < group.channels; ++channel) {
      if (!goes[static_cast<size_t>(channel)]) planned.kept.push_back(channel);
    }
    planned.group = std::move(group);
  }
  return plan;
}

Masks group_masks(const nn::Network& model, const ChannelPlan& plan) {
  std::vector<ChannelGroup> groups;
  for (const GroupPlan& planned : plan) groups.push_back(planned.group);
  const std::vector<Units> units = channels_of(model, groups);
  Masks masks;
  for (size_t g = 0; g < plan.size(); ++g) {
    std::vector<float> keep(static_cast<size_t>(groups[g].channels), 0.0f);
    for (const int64_t channel : plan[g].kept) keep[static_cast<size_t>(channel)] = 1.0f;
    for (const Slice& slice : units[g].slices) {
      Tensor& mask = masks[slice.name];
      if (!mask.defined()) mask = Tensor(slice.variable.shape(), 1.0f);
      float* values = mask.data();
      units[g].for_each_value(slice,
                              [&](int64_t i, size_t channel) { values[i] *= keep[channel]; });
    }
  }
  return masks;
}

int64_t removed_channels(const ChannelPlan& plan) {
  int64_t removed = 0;
  for (const auto& [group, kept, note] : plan) {
    removed += group.channels - static_cast<int64_t>(kept.size());
  }
  return removed;
}

}  // namespace edgeprune
