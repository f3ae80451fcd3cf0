#pragma once
// Whether a quantised network's sums stay in range over a data set, and how much its grids cut off.

#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/inference/engine.h"
#include "engine/kernels/reference/int8.h"
#include "models/checkpoint.h"
#include "tools/cli/table.h"

namespace edgeprune {

struct LayerSaturations {
  std::string layer, kernel;
  /// Of its sums and outputs, by plain loops in wide integers.
  reference::Extremes extremes;
  /// Outputs of the engine's kernel for this layer, on the target in use, that are not those of the plain loops: a sum
  /// that saturated, of 16 bits or of 32, would be.
  int64_t wrong = 0;
  /// What its grid cuts at an end, its ReLU or ReLU6 cuts there anyway.
  bool cuts_below = false, cuts_above = false;
};

/// By layer, over all images; each layer's kernel reads what the plain loops put out before it. Takes some hundred
/// times as long as the engine. Throws std::invalid_argument if the model is not quantised, or naming a layer that stays
/// in floats, Interrupted on Ctrl-C.
std::vector<LayerSaturations> count_saturations(const nn::Network& model, const ModelInfo& info,
                                                const Dataset& dataset, inference::Engine engine);

/// A row a layer, and one for all.
Table saturation_table(const std::vector<LayerSaturations>& layers);

}  // namespace edgeprune
