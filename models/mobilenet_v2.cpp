#include "models/mobilenet_v2.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"
#include "models/blocks.h"

namespace edgeprune {

/// One inverted residual block: expand 1x1 (absent when `expand` is false), depthwise 3x3, project
/// 1x1.
struct InvertedResidual {
  int64_t hidden = 0;  ///< channels of the depthwise convolution
  int64_t out = 0;     ///< channels of the block's output
  int64_t stride = 1;  ///< of the depthwise convolution
  bool expand = true;
  bool residual = false;  ///< the block's input is added to its output
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InvertedResidual, hidden, out, stride, expand, residual)

namespace {

struct MobileNetV2Table {
  double width = 1.0;
  int64_t input_size = 64, classes = 10;
  int64_t stem = 32, last = 1280;  ///< output channels of the first and of the last convolution
  std::vector<InvertedResidual> blocks;
};

/// Every block is to join the one before it.
void require_table(const MobileNetV2Table& t) {
  constexpr int64_t kMost = 1 << 20;
  constexpr size_t kMostBlocks = 1000;
  const char* where = "mobilenet_v2";
  require_sensible(where, t.width, t.input_size, t.classes);
  require(t.blocks.size() <= kMostBlocks, where, "{} blocks, at most {} expected", t.blocks.size(),
          kMostBlocks);
  require(t.stem > 0 && t.stem <= kMost && t.last > 0 && t.last <= kMost && !t.blocks.empty(),
          where, "stem {}, last {}, {} blocks make no network", t.stem, t.last, t.blocks.size());
  int64_t in = t.stem;
  for (const InvertedResidual& b : t.blocks) {
    require(b.hidden > 0 && b.hidden <= kMost && b.out > 0 && b.out <= kMost &&
                (b.stride == 1 || b.stride == 2) && (b.expand || b.hidden == in) &&
                (!b.residual || (b.stride == 1 && b.out == in)),
            where, "a block of {} -> {} -> {} channels, stride {} makes no sense", in, b.hidden,
            b.out, b.stride);
    in = b.out;
  }
}

Graph graph_of(const MobileNetV2Table& t) {
  require_table(t);
  Graph graph{.network = "mobilenet_v2", .width = t.width, .nodes = {}};
  size_t last = graph.append("images", kind::Input{3, t.input_size, t.input_size}, {});
  last = append_unit(graph, "features.0.", kind::Convolution{t.stem, 3, 2, 1}, last,
                     Activation::relu6);
  for (size_t i = 0; i < t.blocks.size(); ++i) {
    const InvertedResidual& b = t.blocks[i];
    const std::string name = fmt::format("features.{}", i + 1), conv = name + ".conv.";
    const size_t input = last;
    int part = 0;
    if (b.expand) {
      last = append_unit(graph, conv + "0.", kind::Convolution{b.hidden}, last, Activation::relu6);
      part = 1;
    }
    last = append_unit(graph, fmt::format("{}{}.", conv, part), kind::Depthwise{3, b.stride, 1},
                       last, Activation::relu6);
    last = graph.append(fmt::format("{}{}", conv, part + 1), kind::Convolution{b.out}, {last});
    last = graph.append(fmt::format("{}{}", conv, part + 2), kind::BatchNorm{}, {last});
    if (b.residual) last = graph.append(name, kind::Add{}, {input, last});
  }
  last = append_unit(graph, fmt::format("features.{}.", t.blocks.size() + 1),
                     kind::Convolution{t.last}, last, Activation::relu6);
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  last = graph.append("classifier.0", kind::Dropout{0.2f}, {last});
  graph.append("classifier.1", kind::Linear{t.classes}, {last});
  return graph;
}

}  // namespace

Graph mobilenet_v2(double width, int64_t input_size, int64_t classes) {
  struct Row {
    int64_t expansion, channels, repeats, stride;
  };
  constexpr Row kTable[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                            {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  require_sensible("mobilenet_v2", width, input_size, classes);
  MobileNetV2Table t{.width = width,
                     .input_size = input_size,
                     .classes = classes,
                     .stem = make_divisible(32 * width),
                     .last = make_divisible(1280 * std::max(1.0, width)),
                     .blocks = {}};
  int64_t in = t.stem;
  for (const Row& row : kTable) {
    const int64_t out = make_divisible(double(row.channels) * width);
    for (int64_t i = 0; i < row.repeats; ++i) {
      const int64_t stride = i == 0 ? row.stride : 1;
      t.blocks.push_back({.hidden = in * row.expansion,
                          .out = out,
                          .stride = stride,
                          .expand = row.expansion != 1,
                          .residual = stride == 1 && in == out});
      in = out;
    }
  }
  return graph_of(t);
}

Graph mobilenet_v2_of(const nlohmann::json& json) {
  const std::string name = json.at("name").get<std::string>();
  require(name == "mobilenet_v2", "architecture", "expected mobilenet_v2, got '{}'",
          printable(name));
  MobileNetV2Table t;
  json.at("width").get_to(t.width);
  json.at("input_size").get_to(t.input_size);
  json.at("classes").get_to(t.classes);
  json.at("stem").get_to(t.stem);
  json.at("last").get_to(t.last);
  json.at("blocks").get_to(t.blocks);
  return graph_of(t);
}

}  // namespace edgeprune
