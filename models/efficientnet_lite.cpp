#include "models/efficientnet_lite.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/blocks.h"

namespace edgeprune {

Graph efficientnet_lite0(double width, int64_t input_size, int64_t classes) {
  struct Row {
    int64_t expansion, channels, repeats, stride, kernel;
  };
  constexpr Row kTable[] = {{1, 16, 1, 1, 3}, {6, 24, 2, 2, 3},  {6, 40, 2, 2, 5},
                            {6, 80, 3, 2, 3}, {6, 112, 3, 1, 5}, {6, 192, 4, 2, 5},
                            {6, 320, 1, 1, 3}};
  constexpr kind::BatchNorm kNorm{1e-3f, 0.01f};
  require_sensible("efficientnet_lite0", width, input_size, classes);
  Graph graph{.network = "efficientnet_lite0", .width = width, .nodes = {}};
  size_t last = graph.append("images", kind::Input{3, input_size, input_size}, {});
  int64_t in = make_divisible(32 * std::min(1.0, width));
  last = append_unit(graph, "features.0.", kind::Convolution{in, 3, 2, 1}, last, Activation::relu6,
                     kNorm);
  int index = 0;
  for (const Row& row : kTable) {
    const int64_t out = make_divisible(double(row.channels) * width);
    for (int64_t i = 0; i < row.repeats; ++i) {
      const std::string name = fmt::format("features.{}", ++index);
      const int64_t stride = i == 0 ? row.stride : 1;
      const size_t input = last;
      int part = 0;
      const auto next = [&] { return fmt::format("{}.block.{}.", name, part++); };
      if (row.expansion != 1) {
        last = append_unit(graph, next(), kind::Convolution{in * row.expansion}, last,
                           Activation::relu6, kNorm);
      }
      last = append_unit(graph, next(), kind::Depthwise{row.kernel, stride, row.kernel / 2}, last,
                         Activation::relu6, kNorm);
      last = append_unit(graph, next(), kind::Convolution{out}, last, Activation::none, kNorm);
      if (stride == 1 && in == out) last = graph.append(name, kind::Add{}, {input, last});
      in = out;
    }
  }
  last = append_unit(graph, fmt::format("features.{}.", index + 1),
                     kind::Convolution{make_divisible(1280 * std::max(1.0, width))}, last,
                     Activation::relu6, kNorm);
  last = graph.append("avgpool", kind::GlobalAveragePool{}, {last});
  last = graph.append("classifier.0", kind::Dropout{0.2f}, {last});
  graph.append("classifier.1", kind::Linear{classes}, {last});
  return graph;
}

}  // namespace edgeprune
