#include "pruning/units.h"

#include <map>

#include "models/summary.h"

namespace edgeprune {

std::vector<Units> weights_of(const nn::Network& model, WeightBlock block) {
  const int64_t outputs = outputs_in(block);
  std::vector<Units> all;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    const int64_t row = value.count() / value.dim(0);
    all.push_back({weight.layer(),
                   block == WeightBlock::one ? "prunable weights" : "blocks of prunable weights",
                   (value.dim(0) + outputs - 1) / outputs * row,
                   {{weight.name, weight.variable, 1, outputs, row}}});
  }
  return all;
}

void count_as_whole_blocks(const Units& units, std::vector<double>& sums) {
  for (const Slice& slice : units.slices) {
    const int64_t rows = slice.variable.value().count() / slice.row, last = rows % slice.outputs;
    if (last == 0) continue;
    for (int64_t unit = rows / slice.outputs * slice.row; unit < units.count; ++unit) {
      sums[static_cast<size_t>(unit)] *= double(slice.outputs) / double(last);
    }
  }
}

std::vector<Units> output_channels_of(const nn::Network& model) {
  std::vector<Units> all;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    if (!weight.is_conv) continue;
    const Tensor& value = weight.variable.value();
    const int64_t channels = value.dim(0);
    all.push_back({weight.layer(),
                   "channels of " + weight.name,
                   channels,
                   {{weight.name, weight.variable, value.count() / channels}}});
  }
  return all;
}

std::vector<Units> channels_of(const nn::Network& model, const std::vector<ChannelGroup>& groups) {
  std::map<std::string, Variable> parameters;
  for (const auto& [name, variable] : model.parameters()) parameters.emplace(name, variable);
  std::vector<Units> all;
  for (const ChannelGroup& group : groups) {
    Units& units = all.emplace_back();
    units.name = group.name;
    units.what = "channels of " + group.name;
    units.count = group.channels;
    for (const auto& [name, axis] : group.slices) {
      const auto found = parameters.find(name);
      if (found == parameters.end()) continue;  // batch norm's statistics are no parameters
      const Shape& shape = found->second.shape();
      int64_t inner = 1;
      for (size_t i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
      units.slices.push_back({name, found->second, inner});
    }
  }
  return all;
}

}  // namespace edgeprune
