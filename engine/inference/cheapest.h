#pragma once
// The choice of kernels as a shortest path.

#include <functional>
#include <optional>

#include "engine/inference/assignment.h"

namespace edgeprune::inference {

/// What a plan is made of costs, in any unit. Infinite: not to be had.
struct Costs {
  /// Of the layers from `first` on, on a kernel that supports them.
  std::function<double(const Kernel&, size_t first, const Section&)> kernel;
  /// Of what layer `layer` puts out (-1: of the images), from one format to another; from a format to
  /// itself: gathered at the beginning of the section.
  std::function<double(Format from, Format to, int layer, const Section&)> change;
};

struct Path {
  Assignment assignment;
  double cost = 0;
};

/// The cheapest way from images to logits, changes of format included: each output is brought to
/// another format at most once, by whoever wants it first. Goes through the layers in their order; what
/// it remembers is in which formats the outputs still to be read are there. Exact as long as few of them
/// are (four, with two formats); with more, the most promising combinations are kept. None if there is
/// no way.
std::optional<Path> cheapest(const Graph& graph, Grouping grouping, int64_t batch,
                             const Costs& costs);

}  // namespace edgeprune::inference
