#pragma once
// A training run in the middle, as a safetensors file.

#include "engine/base/json.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// Where a run is.
struct TrainProgress {
  int64_t epoch = 0;  ///< finished ones
  int64_t batch = 0;  ///< finished ones of the current epoch
  double loss = 0, seconds = 0;
  int64_t correct = 0;  ///< sums over the current epoch
  std::vector<EpochResult> finished;
  double best_accuracy = -1;  ///< on the validation set
  int64_t best_epoch = 0;     ///< 0: none yet
  std::map<std::string, Array> best_weights;
};

/// All that decides what a run computes: options, architecture, the weights it starts from, masks,
/// the teacher's weights and data. A state is resumed only by a run of the same identity.
nlohmann::json run_identity(const nn::Network& model, const Dataset& training,
                            const Dataset* validation, const Masks& masks,
                            const TrainOptions& options);

/// Written atomically: weights, optimiser, progress.
void save_train_state(const std::string& path, const nlohmann::json& identity,
                      const nn::Network& model, const optim::Optimizer& optimizer,
                      const TrainProgress& progress);

/// Throws FileError if the file is damaged, std::invalid_argument naming what differs if it is
/// another run's.
TrainProgress load_train_state(const std::string& path, const nlohmann::json& identity,
                               nn::Network& model, optim::Optimizer& optimizer);

}  // namespace edgeprune
