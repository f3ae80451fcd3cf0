#pragma once
// The smallest model, data and request that a pruning run needs.

#include <memory>

#include "models/summary.h"
#include "tests/support/small_run.h"
#include "tests/support/trained_model.h"
#include "tools/training/pruning_run.h"

namespace edgeprune::testing {

struct SmallPruning {
  SmallPruning() : training(synthetic(64, Split::train, 0)), test(synthetic(40, Split::test, 0)) {
    checkpoint.model = trained_model(0.25);
    checkpoint.info.classes = training.classes;
    checkpoint.sha256 = "parent";
    request.prune.step = {0.5};
    request.training.epochs = 1;
    request.training.batch = 32;
  }

  PruneAndTuneResult run(const TrainState& state = {}) {
    return prune_and_tune(checkpoint, request, training, test, state, {},
                          [&](const std::string& line) { said.push_back(line); });
  }

  Dataset training, test;
  Checkpoint checkpoint;
  PruneAndTune request;
  std::vector<std::string> said;
};

}  // namespace edgeprune::testing
