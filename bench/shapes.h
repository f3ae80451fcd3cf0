#pragma once
// The convolutions to time, each shape once: those of MobileNetV2 at width 1 and 64x64, or of any
// network.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "models/mobilenet_v2.h"

namespace edgeprune::bench {

struct LayerShape {
  Conv2dShape shape;  ///< batch 1
  int layers;         ///< of the network that have it
};

/// In the order of their first layers, the head (a 1x1 convolution of a 1x1 map) last.
inline std::vector<LayerShape> shapes_of(const Graph& graph) {
  const std::vector<MapShape> maps = infer_shapes(graph);
  std::vector<LayerShape> shapes;
  for (size_t i = 1; i < graph.nodes.size(); ++i) {
    const auto shape = conv2d_shape(graph.nodes[i].kind, maps[graph.nodes[i].inputs[0]]);
    if (!shape) continue;
    const auto known = std::find_if(shapes.begin(), shapes.end(),
                                    [&](const auto& entry) { return entry.shape == *shape; });
    if (known == shapes.end()) {
      shapes.push_back({*shape, 1});
    } else {
      ++known->layers;
    }
  }
  return shapes;
}

inline std::vector<LayerShape> mobilenet_v2_shapes() {
  return shapes_of(mobilenet_v2(1.0, 64, 10));
}

/// Those for which `wanted` holds.
template <typename Predicate>
std::vector<LayerShape> mobilenet_v2_shapes(const Predicate& wanted) {
  std::vector<LayerShape> shapes = mobilenet_v2_shapes();
  std::erase_if(shapes, [&](const LayerShape& entry) { return !wanted(entry.shape); });
  return shapes;
}

/// Input map, channels, stride: "16x16_96to24", depthwise "16x16_144_stride2".
inline std::string label(const Conv2dShape& s) {
  std::string text = fmt::format("{}x{}_{}", s.in_height, s.in_width, s.in_channels);
  if (!s.depthwise()) text += fmt::format("to{}", s.out_channels);
  if (s.stride != 1) text += fmt::format("_stride{}", s.stride);
  return text;
}

}  // namespace edgeprune::bench
