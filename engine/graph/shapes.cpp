// What every node puts out, and what is refused on the way.

#include <fmt/ranges.h>

#include <set>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "engine/graph/graph.h"

namespace edgeprune {
namespace {

// These keep a damaged file from asking for terabytes, or for hours, and sums of sizes from
// overflowing: 10000 nodes of 2^20 x 2^20 x 16 x 16 weights are fewer than 2^62.
constexpr size_t kMostNodes = 10000;  // MobileNetV2 has 155; each takes memory of its own
constexpr size_t kLongestNodeName = 200;
constexpr int64_t kMostChannels = 1 << 20;
constexpr int64_t kLargestMap = 4096;  // pixels a side
constexpr int64_t kLargestKernel = 16;

/// Infers one node's shape from those before it.
class Inference {
 public:
  Inference(const Graph& graph, size_t index, const std::vector<MapShape>& shapes)
      : node_(graph.nodes[index]), index_(index) {
    for (const size_t input : node_.inputs) {
      expect(input < graph.nodes.size(), "it reads node number {}, of {}", input,
             graph.nodes.size());
      expect(input < index, "it reads '{}', which runs after it: a cycle",
             printable(graph.nodes[input].name));
      inputs_.push_back(shapes[input]);
    }
  }

  MapShape run() const {
    expect(std::holds_alternative<kind::Input>(node_.kind) == (index_ == 0),
           "the first node, and no other, is the input");
    return std::visit(
        overloaded{
            [&](const kind::Input& k) { return input(k); },
            [&](const kind::Convolution& k) {
              return windows(k.kernel, k.stride, k.padding, k.out_channels);
            },
            [&](const kind::Depthwise& k) {
              return windows(k.kernel, k.stride, k.padding, only().channels);
            },
            [&](const kind::BatchNorm& k) {
              expect(k.eps > 0 && k.eps <= 1 && k.momentum >= 0 && k.momentum <= 1,
                     "an eps of {} and a momentum of {} make no sense", k.eps, k.momentum);
              return only();
            },
            [&](const kind::Activate&) { return only(); },
            [&](const kind::Add&) { return both([](MapShape a) { return a; }, "equal shapes"); },
            [&](const kind::Multiply&) {
              return both(
                  [](MapShape a) {
                    return MapShape{a.channels, 1, 1};
                  },
                  "a map and one factor a channel");
            },
            [&](const kind::MaxPool& k) {
              expect(k.padding * 2 <= k.kernel, "a padding of {} for a window of {}", k.padding,
                     k.kernel);
              return windows(k.kernel, k.stride, k.padding, only().channels);
            },
            [&](const kind::GlobalAveragePool&) {
              return MapShape{only().channels, 1, 1};
            },
            [&](const kind::Dropout& k) {
              expect(k.rate >= 0 && k.rate < 1, "expected a rate in [0, 1), got {}", k.rate);
              return only();
            },
            [&](const kind::Linear& k) {
              expect(only().height == 1 && only().width == 1,
                     "its input is {}, expected a map of 1x1", only().to_string());
              expect_channels(k.out_features);
              return MapShape{k.out_features, 1, 1};
            },
        },
        node_.kind);
  }

  template <typename... Args>
  void expect(bool ok, fmt::format_string<Args...> message, Args&&... args) const {
    if (ok) return;
    require(false, "graph", "node '{}' ({}): {}", printable(node_.name), name_of(node_.kind),
            fmt::format(message, std::forward<Args>(args)...));
  }

 private:
  void expect_inputs(size_t count) const {
    expect(inputs_.size() == count, "expected {} input{}, got {}", count, count == 1 ? "" : "s",
           inputs_.size());
  }
  const MapShape& only() const {
    expect_inputs(1);
    return inputs_.front();
  }
  void expect_channels(int64_t channels) const {
    expect(channels >= 1 && channels <= kMostChannels, "expected from 1 to {} channels, got {}",
           kMostChannels, channels);
  }
  MapShape input(const kind::Input& k) const {
    expect_inputs(0);
    expect_channels(k.channels);
    expect(k.height >= 1 && k.height <= kLargestMap && k.width >= 1 && k.width <= kLargestMap,
           "expected images of 1 to {} pixels a side, got {}x{}", kLargestMap, k.height, k.width);
    return {k.channels, k.height, k.width};
  }
  template <typename Expected>
  MapShape both(const Expected& expected, const char* what) const {
    expect_inputs(2);
    expect(inputs_[1] == expected(inputs_[0]), "its inputs are {} and {}, expected {}",
           inputs_[0].to_string(), inputs_[1].to_string(), what);
    return inputs_[0];
  }
  MapShape windows(int64_t kernel, int64_t stride, int64_t padding, int64_t channels) const {
    const MapShape& in = only();
    expect(kernel >= 1 && kernel <= kLargestKernel && stride >= 1 && stride <= kLargestKernel &&
               padding >= 0 && padding < kernel,
           "a window of {}, stride {}, padding {} makes no sense", kernel, stride, padding);
    expect_channels(channels);
    const auto out = [&](int64_t size) {
      const int64_t places = size + 2 * padding - kernel;
      expect(places >= 0, "a window of {0}x{0}, padding {1}, shrinks its input {2} to nothing",
             kernel, padding, in.to_string());
      return places / stride + 1;
    };
    return {channels, out(in.height), out(in.width)};
  }

  const Node& node_;
  size_t index_;
  std::vector<MapShape> inputs_;
};

}  // namespace

MapShape infer_shape(const Graph& graph, size_t node, const std::vector<MapShape>& before) {
  return Inference(graph, node, before).run();
}

std::vector<MapShape> infer_shapes(const Graph& graph) {
  const auto& nodes = graph.nodes;
  require(nodes.size() <= kMostNodes, "graph", "{} nodes, at most {} expected", nodes.size(),
          kMostNodes);
  require(!nodes.empty() && std::holds_alternative<kind::Linear>(nodes.back().kind), "graph",
          "{}: the last node is to be linear, its outputs are the logits",
          nodes.empty() ? "there are no nodes"
                        : fmt::format("'{}' ({}) is the last one", printable(nodes.back().name),
                                      name_of(nodes.back().kind)));
  std::vector<MapShape> shapes;
  std::set<std::string> names;
  std::vector<bool> read(nodes.size(), false);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Inference inference(graph, i, shapes);
    const std::string& name = nodes[i].name;
    inference.expect(!name.empty() && name.size() <= kLongestNodeName,
                     "expected a name of 1 to {} characters, got {}", kLongestNodeName,
                     name.size());
    inference.expect(names.insert(name).second, "there are two of that name");
    shapes.push_back(inference.run());
    for (const size_t input : nodes[i].inputs) read[input] = true;
  }
  for (size_t i = 0; i + 1 < nodes.size(); ++i) {
    Inference(graph, i, shapes).expect(read[i], "nobody reads its {}", shapes[i].to_string());
  }
  return shapes;
}

}  // namespace edgeprune
