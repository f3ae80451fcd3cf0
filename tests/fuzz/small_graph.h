#pragma once
// A network of a few numbers: its checkpoint is read thousands of times a second.

#include "engine/graph/graph.h"

namespace edgeprune::fuzz {

inline Graph small_graph() {
  Graph graph;
  graph.network = "mobilenet_v2";
  size_t last = graph.append("images", kind::Input{3, 32, 32}, {});
  const size_t stem = last = graph.append("features.0.0", kind::Convolution{1, 3, 2, 1}, {last});
  last = graph.append("features.1.0", kind::Depthwise{}, {last});
  last = graph.append("features.1.1", kind::BatchNorm{}, {last});
  last = graph.append("features.1.2", kind::Activate{}, {last});
  last = graph.append("features.1", kind::Add{}, {stem, last});
  last = graph.append("pool", kind::GlobalAveragePool{}, {last});
  last = graph.append("classifier.0", kind::Dropout{}, {last});
  graph.append("classifier.1", kind::Linear{2}, {last});
  return graph;
}

}  // namespace edgeprune::fuzz
