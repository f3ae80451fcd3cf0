// Graphs as JSON: the attributes of a node's kind stand beside its name, kind and inputs.

#include "engine/base/json.h"

#include <map>

#include "engine/base/names.h"
#include "engine/base/printable.h"
#include "engine/graph/graph.h"

namespace edgeprune {

static void to_json(nlohmann::json& json, Activation activation) {
  json = name_of(kActivations, activation);
}
static void from_json(const nlohmann::json& json, Activation& activation) {
  activation = value_of("activation", kActivations, json.get<std::string>());
}

namespace kind {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Input, channels, height, width)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Convolution, out_channels, kernel, stride, padding, bias)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Depthwise, kernel, stride, padding, bias)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchNorm, eps, momentum)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MaxPool, kernel, stride, padding)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Dropout, rate)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Linear, out_features)

// The macro knows the enumeration by these two only where it is declared.
static void to_json(nlohmann::json& json, const Activate& k) {
  edgeprune::to_json(json["activation"], k.activation);
}
static void from_json(const nlohmann::json& json, Activate& k) {
  edgeprune::from_json(json.at("activation"), k.activation);
}

// Kinds without attributes.
static void to_json(nlohmann::json& json, const Add&) {
  json = nlohmann::json::object();
}
static void from_json(const nlohmann::json&, Add&) {}
static void to_json(nlohmann::json& json, const Multiply&) {
  json = nlohmann::json::object();
}
static void from_json(const nlohmann::json&, Multiply&) {}
static void to_json(nlohmann::json& json, const GlobalAveragePool&) {
  json = nlohmann::json::object();
}
static void from_json(const nlohmann::json&, GlobalAveragePool&) {}

}  // namespace kind

namespace {

/// The kind of that name with attributes from `json`.
template <size_t i = 0>
Kind read_kind(const std::string& name, const nlohmann::json& json, const std::string& node) {
  if constexpr (i == std::variant_size_v<Kind>) {
    require(false, "graph", "node '{}': unknown kind '{}'", printable(node), printable(name));
    return {};
  } else {
    using Candidate = std::variant_alternative_t<i, Kind>;
    if (name != name_of(Kind(Candidate{}))) return read_kind<i + 1>(name, json, node);
    return json.get<Candidate>();
  }
}

}  // namespace

void to_json(nlohmann::json& json, const Graph& graph) {
  auto nodes = nlohmann::json::array();
  for (const Node& node : graph.nodes) {
    nlohmann::json entry;
    std::visit([&](const auto& k) { entry = k; }, node.kind);  // each kind has a to_json()
    entry["name"] = node.name;
    entry["kind"] = name_of(node.kind);
    auto& inputs = entry["inputs"] = nlohmann::json::array();
    for (const size_t input : node.inputs) inputs.push_back(graph.nodes[input].name);
    nodes.push_back(std::move(entry));
  }
  json = {{"network", graph.network}, {"width", graph.width}, {"nodes", std::move(nodes)}};
}

void from_json(const nlohmann::json& json, Graph& graph) {
  graph = {};
  json.at("network").get_to(graph.network);
  json.at("width").get_to(graph.width);
  const auto& nodes = json.at("nodes").get_ref<const nlohmann::json::array_t&>();
  std::map<std::string, size_t> by_name;
  for (const auto& node : nodes)
    by_name.emplace(node.at("name").get<std::string>(), by_name.size());
  for (const auto& node : nodes) {
    const std::string name = node.at("name").get<std::string>();
    std::vector<size_t> inputs;
    for (const auto& input : node.at("inputs")) {
      const auto found = by_name.find(input.get<std::string>());
      require(found != by_name.end(), "graph", "node '{}' reads '{}', which is missing",
              printable(name), printable(input.get<std::string>()));
      inputs.push_back(found->second);
    }
    graph.append(name, read_kind(node.at("kind").get<std::string>(), node, name),
                 std::move(inputs));
  }
  infer_shapes(graph);
}

}  // namespace edgeprune
