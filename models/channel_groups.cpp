#include "models/channel_groups.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

/// "features.2" of "features.2.conv.0.0".
std::string block_of(const std::string& conv) {
  return conv.substr(0, conv.find('.', conv.find('.') + 1));
}

/// Not Conv2dShape::depthwise(): with a single channel left a depthwise convolution is an ordinary
/// one, and a pointwise one is like it.
bool is_depthwise(const Conv2dShape& shape) {
  return shape.kernel > 1 && shape.groups == shape.in_channels;
}

}  // namespace

std::vector<ChannelGroup> channel_groups(const Architecture& architecture) {
  std::vector<ChannelGroup> groups;
  std::vector<std::string> last_block;  // of each group, the last one that adds to it
  size_t current = 0,
         block_input = 0;  // groups: of what the next layer reads, of the block's input
  for (const ConvSpec& spec : unroll(architecture)) {
    const std::string weight = spec.conv + ".weight", block = block_of(spec.conv);
    const bool depthwise = is_depthwise(spec.shape);
    if (spec.opens_block) block_input = current;
    if (!depthwise && !groups.empty()) groups[current].slices.push_back({weight, 1});
    if (spec.adds_residual) {
      current = block_input;
    } else if (!depthwise) {
      current = groups.size();
      groups.push_back({.name = block, .channels = spec.shape.out_channels, .slices = {}});
      last_block.push_back(spec.opens_block ? "" : block);
    }
    if (spec.adds_residual) last_block[current] = block;
    groups[current].slices.push_back({weight, 0});
    for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) {
      groups[current].slices.push_back({spec.norm + part, 0});
    }
  }
  groups[current].slices.push_back({std::string(kHeadName) + ".weight", 1});
  for (size_t i = 0; i < groups.size(); ++i) {
    std::string& name = groups[i].name;
    if (last_block[i].empty()) {
      name += " expansion";
    } else {
      if (last_block[i] != name) name += "-" + last_block[i].substr(last_block[i].find('.') + 1);
      name += " stream";
    }
  }
  return groups;
}

Architecture unpruned(const Architecture& architecture) {
  const Architecture whole =
      Architecture::mobilenet_v2(architecture.width, architecture.input_size, architecture.classes);
  const auto part_of = [](const ChannelGroup& part, const ChannelGroup& group) {
    return part.name == group.name && part.channels <= group.channels;
  };
  const auto parts = channel_groups(architecture), groups = channel_groups(whole);
  return std::equal(parts.begin(), parts.end(), groups.begin(), groups.end(), part_of)
             ? whole
             : architecture;
}

Architecture with_channels(Architecture architecture, const std::vector<int64_t>& channels) {
  const size_t expected = channel_groups(architecture).size();
  require(channels.size() == expected &&
              std::all_of(channels.begin(), channels.end(), [](int64_t c) { return c > 0; }),
          "with_channels", "expected {} positive channel counts, got {}", expected,
          fmt::join(channels, ", "));
  auto next = channels.begin();
  int64_t in = architecture.stem = *next++;
  for (BlockSpec& block : architecture.blocks) {
    block.hidden = block.expand ? *next++ : in;
    in = block.out = block.residual ? in : *next++;
  }
  architecture.last = *next;
  return architecture;
}

}  // namespace edgeprune
