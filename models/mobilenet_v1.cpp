#include "models/mobilenet_v1.h"

#include <fmt/format.h>

#include "models/blocks.h"

namespace edgeprune {

Graph mobilenet_v1(double width, int64_t input_size, int64_t classes) {
  struct Row {
    int64_t channels, stride;
  };
  constexpr Row kTable[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                            {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  require_sensible("mobilenet_v1", width, input_size, classes);
  Graph graph{.network = "mobilenet_v1", .width = width, .nodes = {}};
  size_t last = graph.append("images", kind::Input{3, input_size, input_size}, {});
  last = append_unit(graph, "features.0.", kind::Convolution{make_divisible(32 * width), 3, 2, 1},
                     last, Activation::relu);
  int index = 0;
  for (const Row& row : kTable) {
    const std::string layer = fmt::format("features.{}.", ++index);
    last =
        append_unit(graph, layer + "0.", kind::Depthwise{3, row.stride, 1}, last, Activation::relu);
    last = append_unit(graph, layer + "1.",
                       kind::Convolution{make_divisible(double(row.channels) * width)}, last,
                       Activation::relu);
  }
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  last = graph.append("classifier.0", kind::Dropout{0.001f}, {last});
  graph.append("classifier.1", kind::Linear{classes}, {last});
  return graph;
}

}  // namespace edgeprune
