#pragma once
// THE description of a network: nodes, what each does, and what it reads. Training, inference, groups of
// channels, counting and checkpoints read this and nothing else.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune {

/// What a node can be. Shapes follow from these attributes and from the inputs' shapes.
namespace kind {

/// The images: the first node of every graph, and no other.
struct Input {
  int64_t channels = 3, height = 64, width = 64;
};
/// Every output channel reads all input channels.
struct Convolution {
  int64_t out_channels = 1, kernel = 1, stride = 1, padding = 0;
  bool bias = false;
};
/// A filter for each channel by itself. A kind of its own, not a number of groups: with one channel
/// left it could not be told from the other.
struct Depthwise {
  int64_t kernel = 3, stride = 1, padding = 1;
  bool bias = false;
};
struct BatchNorm {
  float eps = 1e-5f, momentum = 0.1f;  ///< PyTorch's
};
struct Activate {
  Activation activation = Activation::relu6;
};
/// Two maps of one shape.
struct Add {};
/// A map, and one factor for each of its channels: the end of squeeze-and-excite.
struct Multiply {};
struct MaxPool {
  int64_t kernel = 2, stride = 2, padding = 0;
};
/// To a map of 1x1.
struct GlobalAveragePool {};
struct Dropout {
  float rate = 0.2f;
};
/// Reads maps of 1x1; has a bias.
struct Linear {
  int64_t out_features = 1;
};

}  // namespace kind

using Kind = std::variant<kind::Input, kind::Convolution, kind::Depthwise, kind::BatchNorm,
                          kind::Activate, kind::Add, kind::Multiply, kind::MaxPool,
                          kind::GlobalAveragePool, kind::Dropout, kind::Linear>;

/// Lambdas for std::visit, one a kind. Whatever works on graphs goes through it, without a lambda for
/// `auto`: a new kind does not compile before each of them says what becomes of it.
template <typename... Lambdas>
struct overloaded : Lambdas... {
  using Lambdas::operator()...;
};
template <typename... Lambdas>
overloaded(Lambdas...) -> overloaded<Lambdas...>;

/// "convolution", "batch_norm" ...
const char* name_of(const Kind& kind);

struct Node {
  std::string name;  ///< its parameters are called this + ".weight" ...
  Kind kind;
  std::vector<size_t> inputs;  ///< nodes that run before it
};

/// What a node puts out for one image.
struct MapShape {
  int64_t channels = 1, height = 1, width = 1;
  std::string to_string() const;  ///< "[96,32,32]"
  bool operator==(const MapShape&) const = default;
};

struct Graph {
  /// What it was built as, for people and for whoever wants to build it anew (models/networks.h); the
  /// engine does not ask.
  std::string network;
  double width = 1.0;
  /// In the order in which they run: the images first, then a node only behind its inputs; last the
  /// linear layer whose outputs are the logits.
  std::vector<Node> nodes;

  /// Returns the new node's index.
  size_t append(std::string name, Kind kind, std::vector<size_t> inputs);
  /// None if there is no such node.
  std::optional<size_t> find(const std::string& name) const;

  // Of graphs that infer_shapes() accepts.
  int64_t input_size() const;  ///< pixels a side (the height, if images are no squares)
  int64_t classes() const;
  const std::string& head() const { return nodes.back().name; }  ///< the linear layer's name
  void set_input_size(int64_t pixels);
  void set_classes(int64_t classes);
};

/// Of every node. Throws std::invalid_argument, naming the node and the shapes, on what is no
/// network: inputs that are missing, run later or do not fit, sizes out of range, maps that shrink to
/// nothing, a name twice, a node that nobody reads, no logits. Its time is in proportion to the
/// nodes, of which there may be 10000.
std::vector<MapShape> infer_shapes(const Graph& graph);

/// Of one node, from those before it.
MapShape infer_shape(const Graph& graph, size_t node, const std::vector<MapShape>& before);

/// By node, those that read it, ascending.
std::vector<std::vector<size_t>> readers_of(const Graph& graph);

/// What a node with a weight of several axes is to the kernels: a convolution over its input (a linear
/// layer one of a 1x1 map), at batch 1. None for nodes without.
std::optional<Conv2dShape> conv2d_shape(const Kind& kind, const MapShape& input);

/// Of all parameters and statistics together: what a file of its weights holds, counters aside.
int64_t count_values(const Graph& graph);

/// {"network": ..., "width": ..., "nodes": [{"name", "kind", "inputs": [names], attributes ...}]}
void to_json(nlohmann::json& json, const Graph& graph);
/// Throws nlohmann::json::exception or std::invalid_argument on what is no network (infer_shapes()).
void from_json(const nlohmann::json& json, Graph& graph);

}  // namespace edgeprune
