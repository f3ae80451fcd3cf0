#pragma once
// Training with a state on disk, from which a killed run goes on exactly as it would have.

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/checkpoint.h"
#include "pruning/masks.h"
#include "tools/training/train_options.h"

namespace edgeprune {

struct EpochResult {
  int64_t epoch = 0;    ///< from 1
  double loss = 0;      ///< mean over the epoch's training batches
  double accuracy = 0;  ///< on them, fraction
  double seconds = 0;   ///< training alone, over all runs that took part
  double images_per_second = 0;
  double loader_wait = 0;  ///< share of the time spent waiting for batches
  std::optional<double> validation_accuracy;
  /// Evaluation::warning of the validation; without one, dead_layers(). (No state keeps it.)
  std::string warning = {};
};

/// The first steps of a process make oneDNN's kernels and take memory from the system: no profile
/// counts them.
inline constexpr int64_t kWarmUpSteps = 2;

/// This process's steps (not those before a resume) behind the warm-up.
struct SteadySteps {
  int64_t count = 0;
  double seconds = 0;
  size_t fresh_buffers = 0;  ///< taken from the system, not recycled (engine/base/buffer.h)
};

struct TrainResult {
  std::vector<EpochResult> epochs;
  double seconds = 0;  ///< training, all epochs
  SteadySteps steady;
  /// Whose weights the model has: the last, or the best on the validation set.
  int64_t chosen_epoch = 0;
};

/// Where a run keeps its state. It is removed by the caller once the result is saved.
struct TrainState {
  std::string path;     ///< empty: no state is kept
  bool resume = false;  ///< go on from `path` if it exists
  /// Receives all finished epochs: after each one, when on_epoch is through, and after a resume.
  std::function<void(const std::vector<EpochResult>&)> log = {};
};

/// Called after every epoch.
using EpochCallback = std::function<void(const EpochResult&)>;

/// Trains in place (with info.quantization for integers: quantized_training.h), on the last, smaller batch too, unless that is a single image; weights that
/// `masks` prune stay exactly zero. With a validation set, the model ends with the weights of the
/// epoch that was best on it. Throws std::invalid_argument on data
/// that do not fit the model or the batch, or on a state of other options or data;
/// std::runtime_error when the loss or the model is no longer finite, or memory does not suffice
/// for the batch; Interrupted on Ctrl-C, the state saved.
TrainResult train(nn::Network& model, const ModelInfo& info, const Dataset& training,
                  const Dataset* validation, const Masks& masks, const TrainOptions& options,
                  const TrainState& state, const EpochCallback& on_epoch = {});

}  // namespace edgeprune
