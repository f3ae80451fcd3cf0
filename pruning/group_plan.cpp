#include "pruning/group_plan.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "pruning/smallest.h"

namespace edgeprune {
namespace {

using Parameters = std::map<std::string, Variable>;

Parameters parameters_of(const MobileNetV2& model) {
  Parameters parameters;
  for (const auto& [name, variable] : model.parameters()) parameters.emplace(name, variable);
  return parameters;
}

/// Calls visit(name, parameter, inner) for every parameter of the group: value i of it belongs to
/// channel i / inner % channels. (Batch norm's statistics are no parameters.)
template <typename Visit>
void for_each_parameter(const ChannelGroup& group, const Parameters& parameters,
                        const Visit& visit) {
  for (const auto& [name, axis] : group.slices) {
    const auto found = parameters.find(name);
    if (found == parameters.end()) continue;
    const Tensor& value = found->second.value();
    int64_t inner = 1;
    for (size_t i = axis + 1; i < value.shape().rank(); ++i) inner *= value.dim(i);
    visit(name, value, inner);
  }
}

/// How many channels stay, and why not fewer.
int64_t count_kept(int64_t channels, int64_t wanted, const GroupLimits& limits, std::string& note) {
  int64_t kept = wanted;
  if (channels > limits.round_to && kept % limits.round_to != 0) {
    kept = std::min(channels, (kept / limits.round_to + 1) * limits.round_to);
    note = fmt::format("{} rounded up to a multiple of {}", wanted, limits.round_to);
    if (kept % limits.round_to != 0) note += " would be more than there are";
  }
  const int64_t least = std::min(channels, limits.min_channels);
  if (kept < least) {
    kept = least;
    note = least == 1 ? "a group's last channel cannot go"
                      : fmt::format("at least {} channels stay", least);
  }
  return kept;
}

}  // namespace

ChannelPlan plan_smallest_channels(const MobileNetV2& model, double fraction,
                                   const GroupLimits& limits) {
  require(limits.round_to > 0 && limits.min_channels > 0, "prune",
          "expected positive limits, got multiples of {} and at least {} channels", limits.round_to,
          limits.min_channels);
  const Parameters parameters = parameters_of(model);
  ChannelPlan plan;
  for (ChannelGroup& group : channel_groups(model.architecture())) {
    std::vector<double> norms(static_cast<size_t>(group.channels), 0.0);
    for_each_parameter(group, parameters, [&](const auto&, const Tensor& value, int64_t inner) {
      for (int64_t i = 0; i < value.count(); ++i) {
        norms[i / inner % group.channels] += double(value.data()[i]) * value.data()[i];
      }
    });
    GroupPlan& planned = plan.emplace_back();
    const int64_t wanted = group.channels - share_of(fraction, norms.size());
    const int64_t kept = count_kept(group.channels, wanted, limits, planned.note);
    std::vector<bool> goes(norms.size(), false);
    for (const int64_t channel :
         smallest(norms, group.channels - kept, "channels of " + group.name)) {
      goes[static_cast<size_t>(channel)] = true;
    }
    for (int64_t channel = 0; channel < group.channels; ++channel) {
      if (!goes[static_cast<size_t>(channel)]) planned.kept.push_back(channel);
    }
    planned.group = std::move(group);
  }
  return plan;
}

Masks group_masks(const MobileNetV2& model, const ChannelPlan& plan) {
  const Parameters parameters = parameters_of(model);
  Masks masks;
  for (const auto& [group, kept, note] : plan) {
    std::vector<float> keep(static_cast<size_t>(group.channels), 0.0f);
    for (const int64_t channel : kept) keep[static_cast<size_t>(channel)] = 1.0f;
    const int64_t channels = group.channels;
    for_each_parameter(group, parameters,
                       [&](const auto& name, const Tensor& value, int64_t inner) {
                         Tensor& mask = masks[name];
                         if (!mask.defined()) mask = Tensor(value.shape(), 1.0f);
                         for (int64_t i = 0; i < value.count(); ++i)
                           mask.data()[i] *= keep[i / inner % channels];
                       });
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
