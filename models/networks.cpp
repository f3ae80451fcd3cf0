#include "models/networks.h"

#include <algorithm>

#include "engine/base/names.h"
#include "models/efficientnet_lite.h"
#include "models/mobilenet_v1.h"
#include "models/mobilenet_v2.h"
#include "models/mobilenet_v3.h"
#include "models/resnet.h"

namespace edgeprune {
namespace {

struct NetworkEntry {
  const char* name;
  const char* meaning;  ///< for help texts
  Graph (*build)(double width, int64_t input_size, int64_t classes);
};

/// A new network is a line here, and a table and a builder in a file of its own.
constexpr NetworkEntry kNetworks[] = {
    {"mobilenet_v2", "Sandler et al. 2018", &mobilenet_v2},
    {"mobilenet_v1", "Howard et al. 2017", &mobilenet_v1},
    {"mobilenet_v3_large", "Howard et al. 2019", &mobilenet_v3_large},
    {"mobilenet_v3_small", "likewise", &mobilenet_v3_small},
    {"efficientnet_lite0", "Tan & Le 2019", &efficientnet_lite0},
    {"resnet18", "He et al. 2016", &resnet18},
    {"resnet50", "likewise", &resnet50},
};

const NetworkEntry* find_network(const std::string& name) {
  const auto* found = std::find_if(std::begin(kNetworks), std::end(kNetworks),
                                   [&](const NetworkEntry& entry) { return name == entry.name; });
  return found == std::end(kNetworks) ? nullptr : found;
}

}  // namespace

Graph build_network(const NetworkSpec& spec) {
  const NetworkEntry* entry = find_network(spec.name);
  if (entry == nullptr) refuse_name("network", network_names(), spec.name);
  return entry->build(spec.width, spec.input_size, spec.classes);
}

std::vector<std::string> network_names() {
  std::vector<std::string> names;
  for (const NetworkEntry& entry : kNetworks) names.push_back(entry.name);
  return names;
}

std::string networks_explained() {
  std::vector<std::string> lines;
  for (const auto& [name, meaning, build] : kNetworks) {
    lines.push_back(std::string(name) + " (" + meaning + ")");
  }
  return listed(lines);
}

bool is_network(const std::string& name) {
  return find_network(name) != nullptr;
}

NetworkSpec spec_of(const Graph& graph) {
  return {graph.network, graph.width, graph.input_size(), graph.classes()};
}

}  // namespace edgeprune
