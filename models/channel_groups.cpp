#include "models/channel_groups.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <fmt/ranges.h>

#include "engine/base/check.h"
#include "models/networks.h"

namespace edgeprune {
namespace {

/// "features.2" of "features.2.conv.0.0".
std::string block_of(const std::string& node) {
  const size_t first = node.find('.');
  return first == std::string::npos ? node : node.substr(0, node.find('.', first + 1));
}

/// Nodes whose channels are one: each belongs to the set of a smallest node.
class SharedChannels {
 public:
  explicit SharedChannels(const Graph& graph) : parent_(graph.nodes.size()) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      const auto passes_on = [&] {
        for (const size_t input : node.inputs) unite(i, input);
      };
      std::visit(overloaded{
                     [](const kind::Input&) {},
                     [](const kind::Convolution&) {},  // makes new ones
                     [&](const kind::Depthwise&) { passes_on(); },
                     [&](const kind::BatchNorm&) { passes_on(); },
                     [&](const kind::Activate&) { passes_on(); },
                     [&](const kind::Add&) { passes_on(); },
                     [&](const kind::Multiply&) { passes_on(); },
                     [&](const kind::MaxPool&) { passes_on(); },
                     [&](const kind::GlobalAveragePool&) { passes_on(); },
                     [&](const kind::Dropout&) { passes_on(); },
                     [](const kind::Linear&) {},
                 },
                 node.kind);
    }
  }

  size_t of(size_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }

 private:
  void unite(size_t a, size_t b) {
    const size_t first = of(a), second = of(b);
    parent_[std::max(first, second)] = std::min(first, second);
  }
  std::vector<size_t> parent_;
};

/// A group while it is collected.
struct Collected {
  ChannelGroup group;
  std::vector<std::string> makers;  ///< convolutions and linear layers, in order
  std::set<std::string> blocks;     ///< of all that make or read the channels
  bool depthwise = false;
};

std::string group_name(const Collected& c) {
  const std::string first = block_of(c.makers.front()), last = block_of(c.makers.back());
  if (c.blocks.size() == 1) {
    return c.depthwise ? first + " expansion" : c.makers.front() + " channels";
  }
  if (first == last) return first + " stream";
  const size_t prefix = first.find('.') + 1;  // "features." of both, or nothing
  const bool alike = prefix > 0 && last.compare(0, prefix, first, 0, prefix) == 0;
  return first + "-" + (alike ? last.substr(prefix) : last) + " stream";
}

}  // namespace

std::vector<ChannelGroup> channel_groups(const Graph& graph) {
  const std::vector<MapShape> shapes = infer_shapes(graph);
  SharedChannels shared(graph);
  const std::set<size_t> fixed{shared.of(0), shared.of(graph.nodes.size() - 1)};
  std::vector<Collected> groups;
  std::map<size_t, size_t> index;  // of groups, by set
  const auto group_of = [&](size_t node) -> Collected* {
    if (fixed.contains(shared.of(node))) return nullptr;
    const auto [found, made] = index.emplace(shared.of(node), groups.size());
    if (made) groups.emplace_back().group.channels = shapes[node].channels;
    return &groups[found->second];
  };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const auto slice = [&](size_t of, const char* part, size_t axis) {
      Collected* const group = group_of(of);
      if (group == nullptr) return;
      group->group.slices.push_back({node.name + part, axis});
      group->blocks.insert(block_of(node.name));
    };
    const auto makes = [&](bool bias) {
      slice(node.inputs[0], ".weight", 1);
      slice(i, ".weight", 0);
      if (bias) slice(i, ".bias", 0);
      if (Collected* const group = group_of(i)) group->makers.push_back(node.name);
    };
    std::visit(overloaded{
                   [](const kind::Input&) {},
                   [&](const kind::Convolution& k) { makes(k.bias); },
                   [&](const kind::Depthwise& k) {
                     slice(i, ".weight", 0);
                     if (k.bias) slice(i, ".bias", 0);
                     if (Collected* const group = group_of(i)) group->depthwise = true;
                   },
                   [&](const kind::BatchNorm&) {
                     for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"})
                       slice(i, part, 0);
                   },
                   [](const kind::Activate&) {},
                   [](const kind::Add&) {},
                   [](const kind::Multiply&) {},
                   [](const kind::MaxPool&) {},
                   [](const kind::GlobalAveragePool&) {},
                   [](const kind::Dropout&) {},
                   [&](const kind::Linear&) { makes(true); },
               },
               node.kind);
  }
  std::vector<ChannelGroup> result;
  for (Collected& collected : groups) {
    collected.group.name = group_name(collected);
    result.push_back(std::move(collected.group));
  }
  return result;
}

Graph unpruned(const Graph& graph) {
  if (!is_network(graph.network)) return graph;
  Graph whole = build_network(spec_of(graph));
  const auto part_of = [](const ChannelGroup& part, const ChannelGroup& group) {
    return part.name == group.name && part.channels <= group.channels;
  };
  const auto parts = channel_groups(graph), groups = channel_groups(whole);
  return std::equal(parts.begin(), parts.end(), groups.begin(), groups.end(), part_of) ? whole
                                                                                       : graph;
}

Graph with_channels(Graph graph, const std::vector<int64_t>& channels) {
  const std::vector<ChannelGroup> groups = channel_groups(graph);
  require(channels.size() == groups.size() &&
              std::all_of(channels.begin(), channels.end(), [](int64_t c) { return c > 0; }),
          "with_channels", "expected {} positive channel counts, got {}", groups.size(),
          fmt::join(channels, ", "));
  std::map<std::string, int64_t> outputs;  // by weight
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const auto& [tensor, axis] : groups[g].slices) {
      if (axis == 0) outputs[tensor] = channels[g];
    }
  }
  for (Node& node : graph.nodes) {
    const auto found = outputs.find(node.name + ".weight");
    if (found == outputs.end()) continue;
    if (auto* convolution = std::get_if<kind::Convolution>(&node.kind)) {
      convolution->out_channels = found->second;
    } else if (auto* linear = std::get_if<kind::Linear>(&node.kind)) {
      linear->out_features = found->second;
    }
  }
  return graph;
}

}  // namespace edgeprune
