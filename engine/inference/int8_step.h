#pragma once

#include <memory>

#include "engine/inference/int8_graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Layer `i` of a quantised network on so many images, packed for the target in use. Maps are bytes
/// (kernels/quantization.h); the first layer reads float images, the last one writes float logits. Throws
/// std::invalid_argument, naming it, if its sums could overflow.
std::unique_ptr<Step> int8_step(const QuantizedGraph& graph, size_t i, int64_t images);
/// The same of a 1x1 convolution between others, on kernels that skip zero weights.
std::unique_ptr<Step> int8_sparse_step(const QuantizedGraph& graph, size_t i, int64_t images);
/// Whether it is the faster of the two, as far as zeros, sizes and instruction set tell.
bool int8_sparse_step_pays(const QuantizedGraph& graph, size_t i, int64_t images);

}  // namespace edgeprune::inference
