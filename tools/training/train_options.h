#pragma once
// How to train: what commands, plans and states of trainings have in common.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/augment.h"
#include "engine/base/profiler.h"
#include "engine/nn/network.h"
#include "engine/optim/schedule.h"
#include "models/calibration/range.h"
#include "tools/training/recovery.h"

namespace edgeprune {

/// Quantisation-aware training (quantized_training.h): how the grids of maps are found before it begins.
struct QuantizationAware {
  int64_t images = 512;  ///< of the training images, drawn by TrainOptions::seed
  Observer observer = Observer::mse;
};

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
  /// Train for 8-bit integers. train() then wants what begin_quantized_training() made.
  std::optional<QuantizationAware> qat;
  /// Training images for batch norm's statistics once all epochs are over
  /// (tools/training/recalibrate.h); 0: they stay as training left them.
  int64_t bn_recalibrate = 0;
  Profiler* profiler = nullptr;    ///< told where the time of steady steps goes, if given
  double save_every_seconds = 60;  ///< between states inside an epoch; every epoch's end saves too
};

/// --class-weights.
inline const std::vector<std::string> kClassWeights = {"none", "balanced"};
/// TrainOptions::balanced_classes by its name; throws std::invalid_argument on another one.
bool parse_class_weights(const std::string& name);

/// Weights by which classes of these labels count alike: images / (classes * images of the class),
/// 0 for a class without images.
std::vector<float> balanced_weights(const std::vector<int>& labels, size_t classes);

/// Throws std::invalid_argument on patience without images held out.
void require_validation(const TrainOptions& options, int64_t validation_images);

/// What is to be said about so many images in batches of that size: that there are fewer, or that the
/// last one is left out. Else empty.
std::string batch_note(int64_t images, int64_t batch);

/// Batch norm takes the statistics of one image alone for the truth; of one pixel there are none.
inline constexpr int64_t kSmallestBatch = 2;

}  // namespace edgeprune
