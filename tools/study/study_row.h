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

/// Of a quantised model: what the row of the model says that it was made from, but for accuracy,
/// sizes and machine. So rows in floats and in integers stand at the same sparsity, though rounding
/// makes some weights more zero.
RunRecord describe_quantized(const RunRecord& parent, const Checkpoint& checkpoint,
                             const std::string& path, const Dataset& test,
                             const Evaluation& evaluation);

/// The engines of the plan that run such a network. Of quantised ones all integer engines, if the
/// plan names none.
std::vector<inference::Engine> engines_for(const StudyPlan& plan, const inference::Graph& graph);

/// What rows are timed beside.
struct References {
  std::shared_ptr<const inference::Graph> unpruned;  ///< in floats
  std::shared_ptr<const inference::Graph> integers;  ///< likewise, quantised; null: there is none
};

/// A finished model's times on the engines of the plan that run it, and on its batches, on one and on
/// `threads` threads: a cell each. Each takes turns with the unpruned network on the dense engine, at
/// the same batch and thread count: the cells' factors are against that, whenever they are timed. A
/// quantised model does so with the unpruned quantised one on the engine int8, too.
std::vector<LatencyCell> measure_model(const std::shared_ptr<const inference::Graph>& model,
                                       const References& references, const StudyPlan& plan,
                                       int threads);

}  // namespace edgeprune
