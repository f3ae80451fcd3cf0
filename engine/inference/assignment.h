#pragma once
// Which kernel runs which layers, and on how many images at a time.

#include <vector>

#include "engine/inference/engine.h"
#include "engine/inference/graph.h"
#include "engine/inference/kernel_table.h"

namespace edgeprune::inference {

/// How a batch goes through a plan.
enum class Grouping {
  whole_batch,  ///< all images layer by layer; threads share each
  by_image,  ///< large maps image by image, small ones a few images at a time; threads take images
};

/// Layers [begin, end), which run on so many images at a time.
struct Section {
  size_t begin = 0, end = 0;
  Place place;
};

/// One or two. The second one's first layer alone reads across the cut, what the layer before it puts
/// out. For the number of threads in force.
std::vector<Section> sections(const Graph& graph, Grouping grouping, int64_t batch);

struct Assignment {
  Grouping grouping = Grouping::whole_batch;
  std::vector<const Kernel*> kernels;  ///< by layer; null: one that begins before it covers it
  bool operator==(const Assignment&) const = default;
};

/// Whether a kernel can run the layers of the graph from `first` on, all of one section.
bool supports(const Kernel& kernel, const Graph& graph, size_t first, const Section& section);

/// Layers of a quantised graph that could run in integers, and are given to kernels in floats.
size_t layers_taken_out_of_integers(const Graph& graph, const Assignment& assignment);

/// Quantised graphs run on int8, int8_sparse and `automatic`, graphs in floats on all but these two.
bool can_run(Engine engine, const Graph& graph);
/// Throws std::invalid_argument that names those that can, for whoever runs several.
void require_can_run(Engine engine, const Graph& graph);

/// What an engine other than `automatic` runs a graph on. Throws std::invalid_argument naming a layer
/// that it has no kernel for. `everywhere`: int8_sparse skips zeros wherever it can, as sparse does, not
/// where that pays alone.
Assignment assignment_of(const Graph& graph, Engine engine, int64_t batch, bool everywhere = false);

}  // namespace edgeprune::inference
