#pragma once
// Native checkpoints: safetensors with torchvision's keys, readable by two lines of Python, and
// what the model is and how it came to be in the metadata:
//   format = "edgeprune/1", architecture, normalisation, resize, classes, history (JSON each; files
//   of before version 0.2 have no resize and mean Resize::plain, which is what they were trained with).

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "models/mobilenet_v2.h"
#include "models/resize.h"

namespace edgeprune {

/// What a model needs besides its weights.
struct ModelInfo {
  /// ImageNet's, as the pretrained weights expect.
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  Resize resize = Resize::squash;
  std::vector<std::string> classes;  ///< names, by label
  /// One object a step: what was done, with what, to which parent.
  nlohmann::json history = nlohmann::json::array();

  /// The method of the last pruning step in the history ("none" if there is none).
  std::string pruned_by() const;
};

struct Checkpoint {
  std::unique_ptr<MobileNetV2> model;
  ModelInfo info;
  std::string sha256;  ///< of the file
};

/// How a file holds the prunable weights: dense, or those with zeros sparse
/// (models/sparse_storage.h), which only edgeprune reads.
enum class Storage { dense, sparse };
inline constexpr Named<Storage> kStorages[] = {
    {Storage::dense, "dense", "as PyTorch reads it"},
    {Storage::sparse, "sparse",
     "one bit for each weight that is zero, which only edgeprune reads"}};
static_assert(in_order(kStorages));
/// Throws std::invalid_argument listing the choices.
inline Storage parse_storage(const std::string& name) {
  return value_of("storage", kStorages, name);
}

/// Written atomically. Throws FileError.
void save_checkpoint(const std::string& path, const MobileNetV2& model, const ModelInfo& info,
                     Storage storage = Storage::dense);
/// The size of that file.
int64_t checkpoint_bytes(const MobileNetV2& model, const ModelInfo& info, Storage storage);

/// Reads both kinds, bit for bit. Throws FileError (missing, truncated, no checkpoint of ours,
/// tensors that do not fit the architecture in the metadata, all named).
Checkpoint load_checkpoint(const std::string& path);

/// Pretrained weights for a model with another head: torchvision's .pth (either container) or any
/// safetensors file with its keys. The classifier is taken if its class count is the
/// architecture's; otherwise, or if it is absent, it starts from `seed`. Any other missing, surplus
/// or misshapen tensor throws std::invalid_argument with all names.
struct Pretrained {
  std::unique_ptr<MobileNetV2> model;
  std::string head;  ///< what became of the classifier, as a sentence
};
Pretrained load_pretrained(const std::string& path, const Architecture& architecture,
                           uint64_t seed);

}  // namespace edgeprune
