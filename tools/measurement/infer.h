#pragma once

#include <vector>

#include "data/dataset.h"
#include "engine/inference/plan.h"
#include "models/checkpoint.h"

namespace edgeprune {

/// What a model says of all images of a data set.
struct Inference {
  Tensor logits;            ///< [images,classes]
  std::vector<int> labels;  ///< the data set's, in the same order
  double ms_per_image = 0;  ///< in the network alone, without loading
};

/// `purpose` names the progress bar and errors. Throws std::runtime_error if memory does not
/// suffice for the batch, Interrupted on Ctrl-C.
Inference infer(const std::string& purpose, const nn::Network& model, const ModelInfo& info,
                const Dataset& dataset, inference::Engine engine, int64_t batch);

}  // namespace edgeprune
