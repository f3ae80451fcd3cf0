#pragma once
// How much each layer's pruning costs, and what it gains: layer by layer and level by level,
// without fine-tuning.

#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/checkpoint.h"
#include "tools/measurement/latency.h"
#include "tools/training/score_samples.h"

namespace edgeprune {

struct SensitivityOptions {
  Method method = Method::magnitude;               ///< what goes of each layer by itself
  std::vector<double> levels{0.3, 0.5, 0.7, 0.9};  ///< fractions of the layer, ascending
  int64_t images = 1000;          ///< of the training set, held out from what follows, to test on
  int64_t bn_recalibrate = 1000;  ///< of the others, for batch norm's statistics; 0: left alone
  int64_t score_images = kScoreImages;  ///< of the others, for methods that measure their scores
  uint64_t seed = 0;
  LatencyOptions latency;  ///< single images on one thread
};

/// One layer pruned to one level, everything else as it was.
struct SensitivityCell {
  double accuracy = 0;                 ///< fraction of the images; NaN: that much was pruned before
  double zeros = 0;                    ///< share of the layer's weights
  double dense_ms = 0, sparse_ms = 0;  ///< the layer's time for one image, on either kernel
};

struct LayerSensitivity {
  std::string layer;  ///< "features.1.conv.0.0"
  int64_t weights = 0;
  std::vector<SensitivityCell> cells;  ///< one a level
};

struct Sensitivity {
  SensitivityOptions options;
  double accuracy = 0;  ///< nothing pruned, batch norm recalibrated like everywhere
  std::vector<LayerSensitivity> layers;  ///< in the order they run

  /// Percentage points of accuracy; NaN where there is none.
  double lost(size_t layer, size_t level) const;
};

/// Throws std::invalid_argument on options that are out of range or do not fit the data.
void require_valid(const SensitivityOptions& options, const Dataset& training);

/// Scans every prunable layer (by channel: every Conv2d). Accuracies and times are kept
/// in the file `log` (JSON lines) as they come: a scan that was killed goes on behind them, one
/// that was finished is only read. Times are of the network with every layer at that level, where
/// each layer's own sparsity is what it is here, all interleaved in one run. Scores are the whole
/// network's before anything was pruned.
///
/// The images are training images: the test set chooses nothing. Accuracies are too good for that,
/// their differences are what counts. Throws std::invalid_argument on options out of range, data
/// that do not fit the model, or a log of another scan; FileError on a damaged one; Interrupted on
/// Ctrl-C. The model ends as it was.
Sensitivity scan_sensitivity(Checkpoint& checkpoint, const Dataset& training,
                             const SensitivityOptions& options, const std::string& log);

}  // namespace edgeprune
