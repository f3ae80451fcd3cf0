#include "pruning/compact.h"

#include <algorithm>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// The elements `kept` of an axis.
Array take(const Array& array, size_t axis, const std::vector<int64_t>& kept) {
  std::vector<int64_t> dims;
  size_t outer = 1, inner = size_of(array.dtype);
  for (size_t i = 0; i < array.shape.rank(); ++i) {
    dims.push_back(array.shape[i]);
    if (i < axis) outer *= static_cast<size_t>(array.shape[i]);
    if (i > axis) inner *= static_cast<size_t>(array.shape[i]);
  }
  const auto channels = static_cast<size_t>(dims[axis]);
  dims[axis] = static_cast<int64_t>(kept.size());
  Array result{array.dtype, Shape(dims), {}};
  result.bytes.reserve(outer * kept.size() * inner);
  for (size_t o = 0; o < outer; ++o) {
    for (const int64_t channel : kept) {
      const auto from = array.bytes.begin() +
                        static_cast<std::ptrdiff_t>((o * channels + size_t(channel)) * inner);
      result.bytes.insert(result.bytes.end(), from, from + static_cast<std::ptrdiff_t>(inner));
    }
  }
  return result;
}

}  // namespace

std::map<std::string, Array> compact_arrays(const std::map<std::string, Array>& arrays,
                                            const ChannelPlan& plan) {
  std::map<std::string, std::vector<std::pair<size_t, const GroupPlan*>>> cuts;  // by tensor
  for (const GroupPlan& planned : plan) {
    for (const auto& [tensor, axis] : planned.group.slices) {
      cuts[tensor].emplace_back(axis, &planned);
    }
  }
  std::map<std::string, Array> result;
  for (const auto& [name, array] : arrays) {
    Array& smaller = result.emplace(name, array).first->second;
    const auto found = cuts.find(name.substr(name.rfind('/') + 1));
    if (found == cuts.end()) continue;
    for (const auto& [axis, planned] : found->second) {
      const int64_t channels = planned->group.channels;
      require(axis < array.shape.rank() && array.shape[axis] == channels, "compact",
              "{} is {}, expected {} channels of {} on axis {}", name, array.shape.to_string(),
              channels, planned->group.name, axis);
      if (static_cast<int64_t>(planned->kept.size()) < channels) {
        smaller = take(smaller, axis, planned->kept);
      }
    }
  }
  return result;
}

std::unique_ptr<nn::Network> compact(const nn::Network& model, const ChannelPlan& plan) {
  std::vector<int64_t> channels;
  for (const GroupPlan& planned : plan) {
    channels.push_back(static_cast<int64_t>(planned.kept.size()));
  }
  auto smaller = std::make_unique<nn::Network>(with_channels(model.graph(), channels));
  smaller->load_state_dict(compact_arrays(model.state_dict(), plan));
  smaller->train(model.training());
  return smaller;
}

}  // namespace edgeprune
