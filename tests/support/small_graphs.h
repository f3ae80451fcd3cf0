#pragma once
// Networks of a few nodes that branch.

#include "engine/graph/graph.h"

namespace edgeprune::testing {

/// A convolution with its batch norm and, unless it is none, an activation: NAME, NAME.norm, NAME.act.
/// Returns the last one's index.
inline size_t append_unit(Graph& graph, const std::string& name, Kind convolution, size_t input,
                          Activation activation) {
  size_t last = graph.append(name, convolution, {input});
  last = graph.append(name + ".norm", kind::BatchNorm{}, {last});
  if (activation == Activation::none) return last;
  return graph.append(name + ".act", kind::Activate{activation}, {last});
}

/// Images [3,8,8]; a stem of 6 channels, a block that expands to 12, squeezes, excites and adds its
/// input; 10 classes.
inline Graph squeeze_and_excite_graph(Activation gate = Activation::relu6) {
  using kind::Convolution;
  Graph graph;
  const size_t images = graph.append("images", kind::Input{3, 8, 8}, {});
  const size_t stem =
      append_unit(graph, "stem", Convolution{6, 3, 1, 1}, images, Activation::relu6);
  const size_t wide = append_unit(graph, "expand", Convolution{12}, stem, Activation::relu6);
  const size_t pooled = graph.append("squeeze", kind::GlobalAveragePool{}, {wide});
  const size_t fc1 = graph.append("excite.fc1", Convolution{4, 1, 1, 0, true}, {pooled});
  const size_t act = graph.append("excite.act", kind::Activate{Activation::relu6}, {fc1});
  const size_t fc2 = graph.append("excite.fc2", Convolution{12, 1, 1, 0, true}, {act});
  const size_t factors = graph.append("excite.gate", kind::Activate{gate}, {fc2});
  const size_t excited = graph.append("excite", kind::Multiply{}, {wide, factors});
  const size_t narrow = append_unit(graph, "project", Convolution{6}, excited, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {stem, narrow});
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{}, {sum});
  graph.append("head", kind::Linear{10}, {pool});
  return graph;
}

}  // namespace edgeprune::testing
