#include "models/library_names.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "models/networks.h"

namespace edgeprune {
namespace {

using Arrays = std::map<std::string, Array>;
using Names = std::map<std::string, std::string>;

/// A convolution and the batch norm behind it; a linear layer or one of squeeze-and-excite's, which have
/// none.
struct Unit {
  std::string convolution, norm;
  int64_t outputs = 0;  ///< 0 of a depthwise one: as many as it reads
  bool depthwise = false;
};

/// "features.3.": the units of one block, or of the layer in front of all or behind them.
struct Block {
  std::string name;
  std::vector<Unit> units;
};

/// "features.3" of "features.3.conv.0.0".
std::string block_name(const std::string& node) {
  const size_t dot = node.find('.');
  return dot == node.npos ? node : node.substr(0, node.find('.', dot + 1));
}

/// The network as a list of blocks. What is wider or narrower has the same names: the stages of a network,
/// which follow from its channels, are told at width 1.
std::vector<Block> blocks_of(const std::string& network) {
  std::vector<Block> blocks;
  for (const Node& node : build_network({.name = network}).nodes) {
    if (std::holds_alternative<kind::BatchNorm>(node.kind)) {
      blocks.back().units.back().norm = node.name;
    } else if (conv2d_shape(node.kind, {})) {
      const std::string name = block_name(node.name);
      if (blocks.empty() || blocks.back().name != name) blocks.push_back({name, {}});
      Unit unit{.convolution = node.name, .norm = ""};
      unit.depthwise = std::holds_alternative<kind::Depthwise>(node.kind);
      if (const auto* c = std::get_if<kind::Convolution>(&node.kind))
        unit.outputs = c->out_channels;
      blocks.back().units.push_back(unit);
    }
  }
  return blocks;
}

/// timm's mobilenets and efficientnets: conv_stem, bn1, blocks.STAGE.BLOCK.conv_pw ..., conv_head, bn2,
/// classifier.
Names timm_names(const std::string& network) {
  const std::vector<Block> blocks = blocks_of(network);
  Names names;
  const auto add = [&](const Unit& unit, const std::string& theirs, const std::string& norm) {
    names[theirs] = unit.convolution;
    if (!unit.norm.empty()) names[norm] = unit.norm;
  };
  const bool has_hidden = blocks[blocks.size() - 2].name.starts_with("classifier");  // MobileNetV3
  int stage = -1, index = 0;
  int64_t channels = 0;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const std::vector<Unit>& units = blocks[b].units;
    const bool classifier = blocks[b].name.starts_with("classifier");
    if (b == 0) {
      add(units[0], "conv_stem", "bn1");
    } else if (classifier) {
      add(units[0], b + 1 == blocks.size() ? "classifier" : "conv_head", "");
    } else if (units.size() == 1 && !has_hidden) {
      add(units[0], "conv_head", "bn2");
    } else {
      index = units.back().outputs == channels ? index + 1 : 0;
      if (index == 0) ++stage;
      channels = units.back().outputs;
      const std::string block = fmt::format("blocks.{}.{}.", stage, index);
      const bool expands = !units[0].depthwise;
      int norm = 0, excitation = 0;
      for (const Unit& unit : units) {
        if (unit.norm.empty()) {
          add(unit, block + (excitation++ == 0 ? "se.conv_reduce" : "se.conv_expand"), "");
          continue;
        }
        const char* theirs = units.size() == 1 ? "conv"
                             : unit.depthwise  ? "conv_dw"
                             : norm == 0       ? "conv_pw"
                             : expands         ? "conv_pwl"
                                               : "conv_pw";
        add(unit, block + theirs, fmt::format("{}bn{}", block, norm + 1));
        ++norm;
      }
    }
  }
  return names;
}

/// transformers' mobilenets: X.convolution and X.normalization each; the classifier by itself.
Names transformers_mobilenet_names(const std::string& network) {
  Names names;
  const auto add = [&](const Unit& unit, const std::string& theirs) {
    names[theirs + ".convolution"] = unit.convolution;
    names[theirs + ".normalization"] = unit.norm;
  };
  const std::vector<Block> blocks = blocks_of(network);
  const bool second = network == "mobilenet_v2";
  int layer = 0;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const std::vector<Unit>& units = blocks[b].units;
    if (b + 1 == blocks.size()) {
      names["classifier"] = units[0].convolution;
    } else if (b == 0) {
      add(units[0], second ? "conv_stem.first_conv" : "conv_stem");
    } else if (!second) {
      for (const Unit& unit : units) add(unit, fmt::format("layer.{}", layer++));
    } else if (units.size() == 1) {
      add(units[0], "conv_1x1");
    } else {
      const std::string block = b == 1 ? "conv_stem." : fmt::format("layer.{}.", layer++);
      if (units.size() == 3) add(units[0], block + "expand_1x1");
      add(units[units.size() - 2], block + "conv_3x3");
      add(units.back(), block + "reduce_1x1");
    }
  }
  return names;
}

/// transformers' ResNets: encoder.stages.0.layers.0.layer.0.convolution for layer1.0.conv1.
Names transformers_resnet_names(const std::string& network) {
  Names names;
  for (const Block& block : blocks_of(network)) {
    for (const Unit& unit : block.units) {
      std::string theirs = "embedder.embedder";
      if (block.name.starts_with("layer")) {  // layerS.I
        const int stage = block.name[5] - '1';
        theirs = fmt::format("encoder.stages.{}.layers.{}.", stage, block.name.substr(7));
        theirs += unit.convolution.ends_with(".downsample.0")
                      ? "shortcut"
                      : fmt::format("layer.{}", unit.convolution.back() - '1');
      } else if (unit.norm.empty()) {
        names["classifier.1"] = unit.convolution;
        continue;
      }
      names[theirs + ".convolution"] = unit.convolution;
      names[theirs + ".normalization"] = unit.norm;
    }
  }
  return names;
}

std::vector<NamedNetwork> all_named() {
  std::vector<NamedNetwork> all;
  for (const std::string& network : network_names()) {
    for (const Library library : values_in(kLibraries)) {
      Names names = names_in(library, network);
      if (!names.empty()) all.push_back({library, network, std::move(names)});
    }
  }
  return all;
}

size_t count_present(const Arrays& arrays, const Names& names) {
  size_t present = 0;
  for (const auto& [theirs, ours] : names) present += arrays.contains(theirs + ".weight");
  return present;
}

/// Whether the convolution of another library stands for a linear layer of ours.
bool is_linear(const std::string& network, const std::string& module) {
  const Graph graph = build_network({.name = network});
  const auto node = graph.find(module);
  return node && std::holds_alternative<kind::Linear>(graph.nodes[*node].kind);
}

}  // namespace

Names names_in(Library library, const std::string& network) {
  const bool resnet = network.starts_with("resnet");
  switch (library) {
    case Library::torchvision:
      return {};
    case Library::timm:
      return resnet ? Names{} : timm_names(network);
    case Library::hugging_face:
      if (resnet) return transformers_resnet_names(network);
      return network == "mobilenet_v1" || network == "mobilenet_v2"
                 ? transformers_mobilenet_names(network)
                 : Names{};
  }
  return {};
}

std::optional<NamedNetwork> find_library(const Arrays& arrays) {
  // Torchvision's stem, or a ResNet's, and every library's are different.
  if (arrays.contains("features.0.0.weight") || arrays.contains("conv1.weight")) return {};
  static const std::vector<NamedNetwork> known = all_named();  // takes milliseconds
  const NamedNetwork* best = nullptr;
  size_t most = 0;
  for (const NamedNetwork& network : known) {
    // By the share of its own names; of two that are there as a whole, the larger.
    const size_t present = count_present(arrays, network.modules), all = network.modules.size();
    if (2 * present <= all) continue;
    const size_t best_all = best == nullptr ? 1 : best->modules.size();
    const bool better =
        present * best_all > most * all || (present * best_all == most * all && present > most);
    if (best != nullptr && !better) continue;
    best = &network;
    most = present;
  }
  if (best == nullptr) return {};
  return *best;
}

Arrays renamed(Arrays arrays, const NamedNetwork& network) {
  Arrays ours;
  while (!arrays.empty()) {
    auto entry = arrays.extract(arrays.begin());
    const size_t dot = entry.key().rfind('.');
    const auto found = dot == std::string::npos ? network.modules.end()
                                                : network.modules.find(entry.key().substr(0, dot));
    if (found != network.modules.end()) {
      const Shape& shape = entry.mapped().shape;
      if (shape.rank() == 4 && shape[2] == 1 && shape[3] == 1 &&
          is_linear(network.network, found->second)) {
        entry.mapped().shape = Shape{shape[0], shape[1]};
      }
      entry.key() = found->second + entry.key().substr(dot);
    }
    ours.insert(std::move(entry));
  }
  return ours;
}

}  // namespace edgeprune
