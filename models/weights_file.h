#pragma once
// The one door by which weights come in, whoever wrote the file.

#include <cmath>
#include <string>

#include "engine/nn/module.h"
#include "engine/tensor/archive.h"
#include "models/library_names.h"
#include "models/onnx/import.h"

namespace edgeprune {

/// A safetensors file or a PyTorch checkpoint, told apart by content.
struct WeightsFile {
  /// Torchvision's names, floating types as F32, counters as I64, weights that are stored sparse or as
  /// torch.nn.utils.prune's weight_orig and weight_mask put together. Off are prefixes that all names share
  /// (DataParallel's "module.") or all but the head's ("backbone."), and "_orig_mod." wherever it stands.
  /// The notes say what a reader would not expect.
  Archive archive;
  bool masked = false;  ///< there were such masks
  bool onnx = false;    ///< an ONNX file, made a checkpoint of ours
  /// Whose names it had, and of which network, if that is known from the names.
  Library library = Library::torchvision;
  std::string network = {};
};

/// What is read of a checkpoint, which may hold more than one network: `key` as find_state_dict() has it.
/// Every value is checked: throws FileError, naming the tensor and the first bad index, on NaN,
/// infinity and negative variances, which evaluation need not show (zero weights, oneDNN's ReLU6),
/// and whatever the readers throw. Images of an ONNX file that leaves their size open are of `open_size`. Subnormal values become zero (they weigh nothing, take many
/// times as long to compute with, and would count as nonzero), and their number is a note.
WeightsFile read_weights(const std::string& path, const std::string& key = "",
                         int64_t open_size = onnx::kOpenSize);

/// Whether a value is not zero and smaller than 1.2e-38.
inline bool is_subnormal(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL;
}
/// What training let shrink to such values becomes zero. Returns how many.
int64_t flush_subnormals(const nn::Module& module);

}  // namespace edgeprune
