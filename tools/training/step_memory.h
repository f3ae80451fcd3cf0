#pragma once
// Whether memory suffices for a training step, asked before the first one.

#include "engine/graph/graph.h"

namespace edgeprune {

/// Bytes that steps on batches of so many images take, gradients included, measured on steps of 4
/// and 8 images: a fraction of a second. What oneDNN takes for itself is not in it.
int64_t measure_step_memory(const Graph& graph, int64_t batch);

/// Throws std::runtime_error, with what would be taken and what is there, if a batch is too large
/// for the memory available. Measures only where that is the question: not if there is plenty, nor
/// if there is hardly any.
void require_step_memory(const Graph& graph, int64_t batch);

}  // namespace edgeprune
