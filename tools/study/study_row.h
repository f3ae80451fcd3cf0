#pragma once
// What a row says of a finished model, without how it came to be.

#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/checkpoint.h"
#include "tools/measurement/evaluate.h"
#include "tools/study/records.h"
#include "tools/study/study_plan.h"

namespace edgeprune {

/// Accuracy (`evaluation` is the model's, on `test`), counts, sizes, machine. Denominators, layers'
/// included, are those of the same network with all its channels.
RunRecord describe_model(const Checkpoint& checkpoint, const std::string& path, const Dataset& test,
                         const Evaluation& evaluation);

/// A finished model's times on the plan's engines and batches, on one and on `threads` threads: a
/// cell each. Each takes turns with the unpruned network on the dense engine, at the same batch and
/// thread count: the cells' factors are against that, whenever they are timed.
std::vector<LatencyCell> measure_model(const nn::Network& model, const nn::Network& unpruned,
                                       const StudyPlan& plan, int threads);

}  // namespace edgeprune
