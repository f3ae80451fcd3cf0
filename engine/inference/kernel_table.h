#pragma once
// THE list of what layers can run on. A new kernel is a step in a file of its own and a row of
// kernel_table.cpp: the engines and the choosing by time read nothing else.

#include <array>
#include <memory>
#include <span>

#include "engine/inference/engine.h"
#include "engine/inference/graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// In what surroundings a step runs.
struct Place {
  int64_t images = 1;   ///< that it runs on at a time
  int threads = 1;      ///< that it may use
  bool shared = false;  ///< several threads run it at once, each on images of its own
};

/// Engines, a bit each.
using Engines = unsigned;
constexpr Engines bit_of(Engine engine) {
  return 1U << static_cast<unsigned>(engine);
}

/// A row: one way to run consecutive layers of a graph as one step.
struct Kernel {
  static constexpr size_t kMostLayers = 3;

  const char* name;
  Engines engines;       ///< that may take it; `automatic` may take all
  Format input, output;  ///< a residual stands as the output does
  size_t layers;         ///< that it covers, at most kMostLayers
  /// Of each of them, whether its weights are read sparse.
  std::array<bool, kMostLayers> sparse;
  /// Whether it can run the layers that begin with this one, and is worth to. There are as many in
  /// the graph. Asked, as make() is, with the place's number of threads in force.
  bool (*supports)(const Graph& graph, size_t first, const Place& place);
  std::unique_ptr<Step> (*make)(const Graph& graph, size_t first, const Place& place);
};

/// In order of preference: an engine takes the first one that it allows and that supports a layer.
std::span<const Kernel> kernel_table();

/// Whether some kernel of this engine reads this layer's weights sparse: zeros can make it faster.
bool has_sparse_kernel(const Graph& graph, size_t layer, Engine engine);

/// A step that brings what a layer puts out (-1: the images) from one format to another, of which one is
/// channels-last: others are reached by way of it.
std::unique_ptr<Step> change_of_format(Format from, Format to, const Graph& graph, int layer,
                                       int64_t images);

/// Maps in this format, made of images by themselves, as one map of `map.batch` images; null where they
/// are that already.
std::unique_ptr<Step> gather(Format format, const Conv2dShape& map);

/// What a layer puts out (-1: the images), as the shape of a layer that changes nothing.
Conv2dShape map_of(const Graph& graph, int layer, int64_t images);

}  // namespace edgeprune::inference
