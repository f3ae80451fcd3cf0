#pragma once
// What the networks' builders share.

#include <string>

#include "engine/graph/graph.h"

namespace edgeprune {

/// torchvision's _make_divisible: the nearest multiple of 8, but never more than 10 % below the value.
int64_t make_divisible(double value);

/// A convolution, its batch norm and, unless it is none, an activation, named as torch.nn.Sequential
/// names them: PREFIX0, PREFIX1, PREFIX2. Returns the last one's index.
size_t append_unit(Graph& graph, const std::string& prefix, const Kind& convolution, size_t input,
                   Activation activation, const kind::BatchNorm& norm = {});

/// Throws std::invalid_argument, calling it `network`, unless width is in (0, 16], input_size in
/// [32, 4096] and classes >= 2.
void require_sensible(const char* network, double width, int64_t input_size, int64_t classes);

}  // namespace edgeprune
