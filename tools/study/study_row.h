#pragma once
// What a row says of a finished model, without how it came to be.

#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/checkpoint.h"
#include "tools/study/records.h"
#include "tools/study/study_plan.h"

namespace edgeprune {

/// Accuracy on `test`, counts, sizes, machine. Denominators, layers' included, are those of the
/// same network with all its channels.
RunRecord describe_model(const Checkpoint& checkpoint, const std::string& path,
                         const Dataset& test);

/// Times of several models in turns, on the plan's engines and batches and on one and `threads`
/// threads: a list of cells a model. All models of a batch and thread count take turns, so that
/// what disturbs the machine disturbs all alike.
std::vector<std::vector<LatencyCell>> measure_models(const std::vector<const MobileNetV2*>& models,
                                                     const StudyPlan& plan, int threads);

}  // namespace edgeprune
