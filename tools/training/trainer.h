#pragma once
// Training with a state on disk, from which a killed run goes on exactly as it would have.

#include <optional>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "engine/base/profiler.h"
#include "engine/optim/schedule.h"
#include "models/checkpoint.h"
#include "pruning/masks.h"
#include "tools/training/recovery.h"

namespace edgeprune {

struct TrainOptions {
  int64_t epochs = 15;
  int64_t batch = 128;
  std::string optimizer = "adam";
  float learning_rate = 1e-3f;
  optim::Schedule::Kind schedule = optim::Schedule::Kind::constant;
  float weight_decay = 0;
  uint64_t seed = 0;
  Augmentation augmentation;
  float label_smoothing = 0;      ///< engine/ops/cross_entropy.h
  bool balanced_classes = false;  ///< a class counts in inverse proportion to its images
  int64_t warm_up = 0;            ///< epochs in which the learning rate rises in a line
  /// Stop once so many epochs in a row did no better on the validation set; 0: never.
  int64_t patience = 0;
  /// Of red, green and blue: what take_normalisation() gives a network that is trained anew. Empty: its
  /// weights'.
  std::vector<float> mean, std;
  /// The losses of EpochResult are then this loss, not the cross-entropy.
  std::optional<Distillation> distillation;
  std::shared_ptr<nn::Network> teacher;  ///< whose logits distillation wants; only read
  /// Takes the place of schedule and learning_rate: the learning rates are those of the last
  /// `epochs` of the training described, which had at least so many.
  std::optional<Rewinding> rewinding;
  /// Training images for batch norm's statistics once all epochs are over
  /// (tools/training/recalibrate.h); 0: they stay as training left them.
  int64_t bn_recalibrate = 0;
  Profiler* profiler = nullptr;    ///< told where the time of steady steps goes, if given
  double save_every_seconds = 60;  ///< between states inside an epoch; every epoch's end saves too
};

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

/// --class-weights.
inline const std::vector<std::string> kClassWeights = {"none", "balanced"};
/// TrainOptions::balanced_classes by its name; throws std::invalid_argument on another one.
bool parse_class_weights(const std::string& name);

/// Weights by which classes of these labels count alike: images / (classes * images of the class),
/// 0 for a class without images.
std::vector<float> balanced_weights(const std::vector<int>& labels, size_t classes);

/// Called after every epoch.
using EpochCallback = std::function<void(const EpochResult&)>;

/// Throws std::invalid_argument on patience without images held out.
void require_validation(const TrainOptions& options, int64_t validation_images);

/// What is to be said about so many images in batches of that size: that there are fewer, or that the
/// last one is left out. Else empty.
std::string batch_note(int64_t images, int64_t batch);

/// Trains in place, on the last, smaller batch too, unless that is a single image; weights that `masks` prune stay exactly zero. With a validation set, the model
/// ends with the weights of the epoch that was best on it. Throws std::invalid_argument on data
/// that do not fit the model or the batch, or on a state of other options or data;
/// std::runtime_error when the loss or the model is no longer finite, or memory does not suffice
/// for the batch; Interrupted on Ctrl-C, the state saved.
TrainResult train(nn::Network& model, const ModelInfo& info, const Dataset& training,
                  const Dataset* validation, const Masks& masks, const TrainOptions& options,
                  const TrainState& state, const EpochCallback& on_epoch = {});

}  // namespace edgeprune
