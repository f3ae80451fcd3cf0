#include "models/resnet.h"

#include <fmt/format.h>

#include "models/blocks.h"

namespace edgeprune {
namespace {

struct ResNetTable {
  const char* name;
  int64_t blocks[4];
  bool bottleneck;
};

/// PREFIXconvN and PREFIXbnN, without activation.
size_t append_numbered(Graph& graph, const std::string& prefix, int number,
                       const kind::Convolution& convolution, size_t input) {
  input = graph.append(fmt::format("{}conv{}", prefix, number), convolution, {input});
  return graph.append(fmt::format("{}bn{}", prefix, number), kind::BatchNorm{}, {input});
}

size_t append_relu(Graph& graph, const std::string& name, size_t input) {
  return graph.append(name, kind::Activate{Activation::relu}, {input});
}

/// A block of `channels` inside; puts out four times as many if it is a bottleneck.
size_t append_block(Graph& graph, const std::string& name, bool bottleneck, int64_t channels,
                    int64_t stride, bool project, size_t input) {
  const std::string prefix = name + ".";
  const int64_t out = bottleneck ? 4 * channels : channels;
  size_t shortcut = input;
  if (project) {
    shortcut = append_unit(graph, prefix + "downsample.", kind::Convolution{out, 1, stride, 0},
                           input, Activation::none);
  }
  const auto relu = [&](int number, size_t last) {
    return append_relu(graph, fmt::format("{}relu{}", prefix, number), last);
  };
  size_t last = input;
  if (bottleneck) {
    last = relu(1, append_numbered(graph, prefix, 1, {channels}, last));
    last = relu(2, append_numbered(graph, prefix, 2, {channels, 3, stride, 1}, last));
    last = append_numbered(graph, prefix, 3, {out}, last);
  } else {
    last = relu(1, append_numbered(graph, prefix, 1, {channels, 3, stride, 1}, last));
    last = append_numbered(graph, prefix, 2, {out, 3, 1, 1}, last);
  }
  last = graph.append(name, kind::Add{}, {shortcut, last});
  return append_relu(graph, prefix + "relu", last);
}

Graph resnet(const ResNetTable& table, double width, int64_t input_size, int64_t classes) {
  require_sensible(table.name, width, input_size, classes);
  Graph graph{.network = table.name, .width = width, .nodes = {}};
  size_t last = graph.append("images", kind::Input{3, input_size, input_size}, {});
  int64_t in = make_divisible(64 * width);
  last = append_numbered(graph, "", 1, {in, 7, 2, 3}, last);
  last = append_relu(graph, "relu", last);
  last = graph.append("maxpool", kind::MaxPool{3, 2, 1}, {last});
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t channels = make_divisible((64 << stage) * width),
                  out = table.bottleneck ? 4 * channels : channels;
    for (int64_t i = 0; i < table.blocks[stage]; ++i) {
      const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      last = append_block(graph, fmt::format("layer{}.{}", stage + 1, i), table.bottleneck,
                          channels, stride, stride != 1 || in != out, last);
      in = out;
    }
  }
  last = graph.append("avgpool", kind::GlobalAveragePool{}, {last});
  graph.append("fc", kind::Linear{classes}, {last});
  return graph;
}

}  // namespace

Graph resnet18(double width, int64_t input_size, int64_t classes) {
  return resnet({"resnet18", {2, 2, 2, 2}, false}, width, input_size, classes);
}

Graph resnet50(double width, int64_t input_size, int64_t classes) {
  return resnet({"resnet50", {3, 4, 6, 3}, true}, width, input_size, classes);
}

}  // namespace edgeprune
