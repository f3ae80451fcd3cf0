#include "models/mobilenet_v3.h"

#include <fmt/format.h>

#include <vector>

#include "models/blocks.h"

namespace edgeprune {
namespace {

constexpr kind::BatchNorm kNorm{1e-3f, 0.01f};  // torchvision's, for this network

struct Bneck {
  int64_t kernel, expanded, out;
  bool excite;
  Activation activation;
  int64_t stride;
};

struct MobileNetV3Table {
  const char* name;
  std::vector<Bneck> blocks;
  int64_t last;  ///< channels between the two linear layers
};

/// PREFIXfc1 and PREFIXfc2: a factor for each channel of what is read, multiplied with it.
size_t append_excitation(Graph& graph, const std::string& prefix, int64_t channels, size_t input) {
  size_t last = graph.append(prefix + "avgpool", kind::GlobalAveragePool{}, {input});
  last =
      graph.append(prefix + "fc1",
                   kind::Convolution{make_divisible(double(channels / 4)), 1, 1, 0, true}, {last});
  last = graph.append(prefix + "activation", kind::Activate{Activation::relu}, {last});
  last = graph.append(prefix + "fc2", kind::Convolution{channels, 1, 1, 0, true}, {last});
  last =
      graph.append(prefix + "scale_activation", kind::Activate{Activation::hard_sigmoid}, {last});
  return graph.append(prefix + "scale", kind::Multiply{}, {input, last});
}

size_t append_bneck(Graph& graph, const std::string& name, const Bneck& block, int64_t in,
                    size_t input) {
  int part = 0;
  const auto next = [&] { return fmt::format("{}.block.{}.", name, part++); };
  size_t last = input;
  if (block.expanded != in) {
    last = append_unit(graph, next(), kind::Convolution{block.expanded}, last, block.activation,
                       kNorm);
  }
  last = append_unit(graph, next(), kind::Depthwise{block.kernel, block.stride, block.kernel / 2},
                     last, block.activation, kNorm);
  if (block.excite) last = append_excitation(graph, next(), block.expanded, last);
  last = append_unit(graph, next(), kind::Convolution{block.out}, last, Activation::none, kNorm);
  const bool residual = block.stride == 1 && block.out == in;
  return residual ? graph.append(name, kind::Add{}, {input, last}) : last;
}

Graph mobilenet_v3(const MobileNetV3Table& table, double width, int64_t input_size,
                   int64_t classes) {
  require_sensible(table.name, width, input_size, classes);
  Graph graph{.network = table.name, .width = width, .nodes = {}};
  size_t last = graph.append("images", kind::Input{3, input_size, input_size}, {});
  int64_t in = make_divisible(16 * width);
  last = append_unit(graph, "features.0.", kind::Convolution{in, 3, 2, 1}, last,
                     Activation::hard_swish, kNorm);
  int index = 0;
  for (Bneck block : table.blocks) {
    block.expanded = make_divisible(double(block.expanded) * width);
    block.out = make_divisible(double(block.out) * width);
    last = append_bneck(graph, fmt::format("features.{}", ++index), block, in, last);
    in = block.out;
  }
  last = append_unit(graph, fmt::format("features.{}.", index + 1), kind::Convolution{6 * in}, last,
                     Activation::hard_swish, kNorm);
  last = graph.append("avgpool", kind::GlobalAveragePool{}, {last});
  last = graph.append("classifier.0", kind::Linear{make_divisible(double(table.last) * width)},
                      {last});
  last = graph.append("classifier.1", kind::Activate{Activation::hard_swish}, {last});
  last = graph.append("classifier.2", kind::Dropout{0.2f}, {last});
  graph.append("classifier.3", kind::Linear{classes}, {last});
  return graph;
}

constexpr Activation RE = Activation::relu, HS = Activation::hard_swish;  // the paper's letters

}  // namespace

Graph mobilenet_v3_large(double width, int64_t input_size, int64_t classes) {
  static const MobileNetV3Table kTable{"mobilenet_v3_large",
                                       {{3, 16, 16, false, RE, 1},
                                        {3, 64, 24, false, RE, 2},
                                        {3, 72, 24, false, RE, 1},
                                        {5, 72, 40, true, RE, 2},
                                        {5, 120, 40, true, RE, 1},
                                        {5, 120, 40, true, RE, 1},
                                        {3, 240, 80, false, HS, 2},
                                        {3, 200, 80, false, HS, 1},
                                        {3, 184, 80, false, HS, 1},
                                        {3, 184, 80, false, HS, 1},
                                        {3, 480, 112, true, HS, 1},
                                        {3, 672, 112, true, HS, 1},
                                        {5, 672, 160, true, HS, 2},
                                        {5, 960, 160, true, HS, 1},
                                        {5, 960, 160, true, HS, 1}},
                                       1280};
  return mobilenet_v3(kTable, width, input_size, classes);
}

Graph mobilenet_v3_small(double width, int64_t input_size, int64_t classes) {
  static const MobileNetV3Table kTable{"mobilenet_v3_small",
                                       {{3, 16, 16, true, RE, 2},
                                        {3, 72, 24, false, RE, 2},
                                        {3, 88, 24, false, RE, 1},
                                        {5, 96, 40, true, HS, 2},
                                        {5, 240, 40, true, HS, 1},
                                        {5, 240, 40, true, HS, 1},
                                        {5, 120, 48, true, HS, 1},
                                        {5, 144, 48, true, HS, 1},
                                        {5, 288, 96, true, HS, 2},
                                        {5, 576, 96, true, HS, 1},
                                        {5, 576, 96, true, HS, 1}},
                                       1024};
  return mobilenet_v3(kTable, width, input_size, classes);
}

}  // namespace edgeprune
