#pragma once

#include <memory>

#include "engine/inference/int8_graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Layer `i` of a quantised network on so many images, packed for the target in use. Maps are bytes
/// (kernels/quantization.h); the first layer reads float images, the last one writes float logits. Throws
/// std::invalid_argument, naming it, if its sums could overflow.
std::unique_ptr<Step> int8_step(const QuantizedGraph& graph, size_t i, int64_t images);

}  // namespace edgeprune::inference
