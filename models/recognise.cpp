#include "models/recognise.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "engine/base/printable.h"
#include "models/networks.h"

namespace edgeprune {
namespace {

using Arrays = std::map<std::string, Array>;
using Counts = std::vector<int64_t>;

/// The first dimension of the tensor: its output channels. None if there is no such tensor.
std::optional<int64_t> outputs(const Arrays& arrays, const std::string& name) {
  const auto found = arrays.find(name + ".weight");
  if (found == arrays.end() || found->second.shape.rank() == 0) return {};
  return found->second.shape[0];
}

/// Where a node says how many channels it puts out; null if that follows from its input.
int64_t* own_channels(Kind& kind) {
  if (auto* convolution = std::get_if<kind::Convolution>(&kind)) return &convolution->out_channels;
  if (auto* linear = std::get_if<kind::Linear>(&kind)) return &linear->out_features;
  return nullptr;
}

/// Output channels of all convolutions and linear layers but the head, whose are the classes.
Counts counts_of(Graph graph) {
  Counts counts;
  for (size_t i = 0; i + 1 < graph.nodes.size(); ++i) {
    if (const int64_t* own = own_channels(graph.nodes[i].kind)) counts.push_back(*own);
  }
  return counts;
}

/// Output channels of the convolutions at the ends of blocks, behind which no activation stands: where
/// shortcuts are added, if they fit.
Counts ends_of(const Graph& graph) {
  const auto readers = readers_of(graph);
  const auto activated = [&](size_t node) {
    return std::ranges::any_of(readers[node], [&](size_t reader) {
      return std::holds_alternative<kind::Activate>(graph.nodes[reader].kind);
    });
  };
  Counts counts;
  for (size_t i = 0; i + 1 < graph.nodes.size(); ++i) {
    const auto* convolution = std::get_if<kind::Convolution>(&graph.nodes[i].kind);
    if (convolution == nullptr || convolution->bias || readers[i].size() != 1) continue;
    if (!activated(i) && !activated(readers[i][0])) counts.push_back(convolution->out_channels);
  }
  return counts;
}

/// The graph with the output channels that the tensors have, as far as they are there.
Graph with_counts_of(Graph graph, const Arrays& arrays) {
  for (Node& node : graph.nodes) {
    int64_t* const own = own_channels(node.kind);
    if (own != nullptr) *own = outputs(arrays, node.name).value_or(*own);
  }
  return graph;
}

struct Width {
  double width;
  Counts counts, ends;
};

/// The i-th width that is at all round, the roundest first; none behind the last.
std::optional<double> round_width(size_t i) {
  constexpr size_t kWidest = 4;
  for (const size_t parts : {1, 4, 10, 20, 100}) {
    if (i < kWidest * parts) return double(i + 1) / double(parts);
    i -= kWidest * parts;
  }
  return {};
}

/// The roundest width at which the network's channels pass. Widths that differ by less than a channel's
/// multiple of 8 are the same network.
template <typename Test>
std::optional<double> find_width(const std::string& network, const Test& test) {
  static std::mutex mutex;
  static std::map<std::string, std::vector<Width>> known;  // building all takes milliseconds
  const std::scoped_lock lock(mutex);
  std::vector<Width>& widths = known[network];
  for (size_t i = 0; const auto width = round_width(i); ++i) {
    if (i == widths.size()) {
      const Graph graph = build_network({.name = network, .width = *width});
      widths.push_back({*width, counts_of(graph), ends_of(graph)});
    }
    if (test(widths[i])) return width;
  }
  return {};
}

/// How many of the network's weights are there by name, and how many it has.
std::pair<size_t, size_t> present(const Arrays& arrays, const std::string& network) {
  size_t found = 0, all = 0;
  for (const Node& node : build_network({.name = network}).nodes) {
    if (!conv2d_shape(node.kind, {})) continue;
    ++all;
    found += arrays.contains(node.name + ".weight");
  }
  return {found, all};
}

/// The network most of whose weights are there, and whether most of them are.
std::pair<std::string, bool> most_alike(const Arrays& arrays) {
  std::string best = kDefaultNetwork;
  std::pair<size_t, size_t> most{0, 1};
  for (const std::string& name : network_names()) {
    const auto here = present(arrays, name);
    // By the share of its own: of a larger network, more may be there by chance. Of two that are there
    // as a whole it is the larger one: ResNet18's names are all among ResNet50's.
    const size_t own = here.first * most.second, known = most.first * here.second;
    if (own < known || (own == known && here.first <= most.first)) continue;
    best = name;
    most = here;
  }
  return {best, 2 * most.first > most.second};
}

/// The names that tell other networks, as their libraries have them.
constexpr std::pair<const char*, const char*> kTellTales[] = {
    {"layer1.0.conv1.weight", "a ResNet"},
    {"blocks.0.0.conv_dw.weight", "timm's names of a MobileNet or an EfficientNet"},
    {"features.1.block.0.0.weight", "torchvision's MobileNetV3 or EfficientNet"},
    {"features.denseblock1.denselayer1.norm1.weight", "a DenseNet"},
    {"features.0.weight", "a VGG, AlexNet or SqueezeNet"},
    {"cls_token", "a vision transformer"},
    {"class_token", "a vision transformer"},
    {"stages.0.0.conv_dw.weight", "a ConvNeXt"},
};

}  // namespace

Graph recognise(const Arrays& arrays, int64_t input_size, const std::string& network) {
  NetworkSpec spec{.name = network.empty() ? most_alike(arrays).first : network,
                   .input_size = input_size};
  const Graph paper = build_network(spec);
  const int64_t classes = outputs(arrays, paper.head()).value_or(paper.classes());
  if (classes < 2 || classes >= 1 << 20) return paper;
  spec.classes = classes;
  const Graph shaped = with_counts_of(paper, arrays);
  const Counts found = counts_of(shaped), ends = ends_of(shaped);
  const auto exact = find_width(spec.name, [&](const Width& w) { return w.counts == found; });
  if (exact) {  // with its sums: at small widths more blocks have one
    spec.width = *exact;
    return build_network(spec);
  }
  // Inside of blocks and at the head libraries differ, or channels were removed: the sums are a width's.
  auto whole =
      find_width(spec.name, [&](const Width& w) { return !ends.empty() && w.ends == ends; });
  if (!whole) {
    whole = find_width(spec.name, [&](const Width& w) {
      return std::equal(found.begin(), found.end(), w.counts.begin(), w.counts.end(),
                        [](int64_t part, int64_t all) { return part <= all; });
    });
  }
  if (!whole) return paper;
  spec.width = *whole;
  return with_counts_of(build_network(spec), arrays);
}

std::string guess(const Arrays& arrays, const Graph& graph) {
  if (const auto [network, alike] = most_alike(arrays); alike) {
    if (network != graph.network) {
      return fmt::format(" (another network: it looks like {}, not {})", network,
                         printable(graph.network));
    }
    const Graph found = recognise(arrays, graph.input_size(), network);
    if (!outputs(arrays, found.head())) {
      return " (no head? edgeprune train --weights and edgeprune import --classes make a new one)";
    }
    if (counts_of(found) == counts_of(graph)) return "";
    return fmt::format(" (width {0:g}? pass --width {0:g})", found.width);
  }
  for (const auto& [name, network] : kTellTales) {
    if (arrays.contains(name)) {
      return fmt::format(" (another network: {} looks like {})", name, network);
    }
  }
  if (arrays.empty()) return " (the file has no tensors)";
  return fmt::format(" (another network: its {} tensors are named as {})", arrays.size(),
                     printable(arrays.begin()->first));
}

}  // namespace edgeprune
