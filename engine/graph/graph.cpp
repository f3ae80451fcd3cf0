#include "engine/graph/graph.h"

#include <algorithm>
#include <array>

#include "engine/base/check.h"

namespace edgeprune {
namespace {

constexpr std::array kKindNames{
    "input",    "convolution", "depthwise",           "batch_norm", "activate", "add",
    "multiply", "max_pool",    "global_average_pool", "dropout",    "linear"};
static_assert(kKindNames.size() == std::variant_size_v<Kind>);

}  // namespace

const char* name_of(const Kind& kind) {
  return kKindNames[kind.index()];
}

std::string MapShape::to_string() const {
  return fmt::format("[{},{},{}]", channels, height, width);
}

size_t Graph::append(std::string name, Kind kind, std::vector<size_t> inputs) {
  nodes.push_back({std::move(name), kind, std::move(inputs)});
  return nodes.size() - 1;
}

std::optional<size_t> Graph::find(const std::string& name) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == name; });
  if (found == nodes.end()) return {};
  return static_cast<size_t>(found - nodes.begin());
}

int64_t Graph::input_size() const {
  return std::get<kind::Input>(nodes.front().kind).height;
}

int64_t Graph::classes() const {
  return std::get<kind::Linear>(nodes.back().kind).out_features;
}

void Graph::set_input_size(int64_t pixels) {
  auto& input = std::get<kind::Input>(nodes.front().kind);
  input.height = input.width = pixels;
}

void Graph::set_classes(int64_t classes) {
  std::get<kind::Linear>(nodes.back().kind).out_features = classes;
}

std::vector<std::vector<size_t>> readers_of(const Graph& graph) {
  std::vector<std::vector<size_t>> readers(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const size_t input : graph.nodes[i].inputs) {
      // A node that adds a map to itself reads it once.
      if (readers[input].empty() || readers[input].back() != i) readers[input].push_back(i);
    }
  }
  return readers;
}

std::optional<Conv2dShape> conv2d_shape(const Kind& kind, const MapShape& input) {
  Conv2dShape shape{.in_height = input.height,
                    .in_width = input.width,
                    .in_channels = input.channels,
                    .out_channels = input.channels};
  if (const auto* convolution = std::get_if<kind::Convolution>(&kind)) {
    shape.out_channels = convolution->out_channels;
    shape.kernel = convolution->kernel;
    shape.stride = convolution->stride;
    shape.padding = convolution->padding;
  } else if (const auto* depthwise = std::get_if<kind::Depthwise>(&kind)) {
    shape.kernel = depthwise->kernel;
    shape.stride = depthwise->stride;
    shape.padding = depthwise->padding;
    shape.groups = input.channels;
  } else if (const auto* linear = std::get_if<kind::Linear>(&kind)) {
    shape.out_channels = linear->out_features;
  } else {
    return {};
  }
  return shape;
}

int64_t count_values(const Graph& graph) {
  const std::vector<MapShape> shapes = infer_shapes(graph);
  int64_t values = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const int64_t channels = shapes[i].channels;
    const auto weight = [&](bool bias) {
      return conv2d_shape(node.kind, shapes[node.inputs[0]])->weight_count() +
             (bias ? channels : 0);
    };
    values += std::visit(
        overloaded{
            [](const kind::Input&) { return int64_t{0}; },
            [&](const kind::Convolution& k) { return weight(k.bias); },
            [&](const kind::Depthwise& k) { return weight(k.bias); },
            [&](const kind::BatchNorm&) { return 4 * channels; },  // weight, bias, two statistics
            [](const kind::Activate&) { return int64_t{0}; },
            [](const kind::Add&) { return int64_t{0}; },
            [](const kind::Multiply&) { return int64_t{0}; },
            [](const kind::MaxPool&) { return int64_t{0}; },
            [](const kind::GlobalAveragePool&) { return int64_t{0}; },
            [](const kind::Dropout&) { return int64_t{0}; },
            [&](const kind::Linear&) { return weight(true); },
        },
        node.kind);
  }
  return values;
}

}  // namespace edgeprune
