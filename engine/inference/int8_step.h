#pragma once

#include <memory>

#include "engine/inference/int8_graph.h"
#include "engine/inference/step.h"

namespace edgeprune::inference {

/// Layer `i` of a quantised network, one in integers, on so many images, packed for the target in use. Maps are
/// bytes (kernels/quantization.h); who reads the images reads floats, the last layer writes float logits. Throws
/// std::invalid_argument, naming it, if its sums could overflow.
std::unique_ptr<Step> int8_step(const QuantizedGraph& graph, size_t i, int64_t images);
/// The same of a 1x1 convolution between others, on kernels that skip zero weights.
std::unique_ptr<Step> int8_sparse_step(const QuantizedGraph& graph, size_t i, int64_t images);
/// Whether it is the faster of the two, as far as zeros, sizes and instruction set tell.
bool int8_sparse_step_pays(const QuantizedGraph& graph, size_t i, int64_t images);

// Changes of format; a map's shape counts only as input: batch, in_height, in_width, in_channels.
/// Floats [N,H,W,C] to bytes on the output's grid.
std::unique_ptr<Step> quantize_step(const Conv2dShape& map);
/// What bytes stand for on the input's grid.
std::unique_ptr<Step> dequantize_step(const Conv2dShape& map);

}  // namespace edgeprune::inference
