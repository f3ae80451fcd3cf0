#pragma once
// What network a file of weights is of, when nothing in it says so.

#include <map>
#include <string>

#include "engine/graph/graph.h"
#include "engine/tensor/archive.h"

namespace edgeprune {

/// The network of tensors with these names and shapes: that of the table (models/networks.h), or the
/// one called `network` if that is not empty, whose weights' names are most of them; its channels and
/// classes, and the roundest width multiplier that gives these channels; if none does, some were
/// removed, and the width is that of the whole network. Strides are the paper's, as no shape shows
/// them. What is missing or makes no sense is taken as at width 1 and for load_state_dict() to refuse.
Graph recognise(const std::map<std::string, Array>& arrays, int64_t input_size,
                const std::string& network = "");

/// Why the weights may not fit the graph, as " (width 0.5? pass --width 0.5)", or nothing.
std::string guess(const std::map<std::string, Array>& arrays, const Graph& graph);

}  // namespace edgeprune
