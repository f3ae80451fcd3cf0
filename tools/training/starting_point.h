#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/checkpoint.h"
#include "pruning/masks.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// The weights of a file, or "random" ones, that a training starts from. They say how images are
/// brought to the network, which is asked for before the data are read, whose classes the network
/// then gets; the file is read once.
class StartingPoint {
 public:
  /// wanted.classes does not count. Throws what load_checkpoint() throws.
  StartingPoint(const std::string& weights, const Wanted& wanted);

  int64_t input_size() const { return input_size_; }
  Resize resize() const { return resize_; }

  /// A network for these classes with the file's width, input size, normalisation and zeros as far as
  /// `wanted` did not say otherwise; of random weights MobileNetV2 of width 1.0 at 64x64 from
  /// wanted.seed. Its history says so. `say` hears how the file was read and what became of the
  /// head. Throws likewise.
  Checkpoint start(const std::vector<std::string>& classes,
                   const std::function<void(const std::string&)>& say) const;

 private:
  Wanted wanted_;
  std::optional<StoredCheckpoint> stored_;  ///< none: random weights
  int64_t input_size_ = 64;
  Resize resize_ = Resize::squash;
};

/// The options' mean and standard deviation, as far as they are given.
void take_normalisation(ModelInfo& info, const TrainOptions& options);

/// What stays zero when the model is trained: if it was pruned, its zeros, and `say` hears how many;
/// else nothing.
Masks zeros_to_keep(const Checkpoint& checkpoint,
                    const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
