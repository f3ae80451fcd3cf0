#pragma once
// The one door by which weights come in, whoever wrote the file.

#include <cmath>
#include <string>

#include "engine/nn/module.h"
#include "engine/tensor/archive.h"

namespace edgeprune {

/// A safetensors file or a PyTorch checkpoint, told apart by content.
struct WeightsFile {
  /// Torchvision's names (a prefix that all share, as DataParallel's "module.", is off), floating
  /// types as F32, weights that are stored sparse or as torch.nn.utils.prune's weight_orig and
  /// weight_mask put together. The notes say what a reader would not expect.
  Archive archive;
  bool masked = false;  ///< there were such masks
};

/// Every value is checked: throws FileError, naming the tensor and the first bad index, on NaN,
/// infinity and negative variances, which evaluation need not show (zero weights, oneDNN's ReLU6),
/// and whatever the readers throw. Subnormal values become zero (they weigh nothing, take many
/// times as long to compute with, and would count as nonzero), and their number is a note.
WeightsFile read_weights(const std::string& path);

/// Whether a value is not zero and smaller than 1.2e-38.
inline bool is_subnormal(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL;
}
/// What training let shrink to such values becomes zero. Returns how many.
int64_t flush_subnormals(const nn::Module& module);

}  // namespace edgeprune
