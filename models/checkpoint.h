#pragma once
// Native checkpoints: safetensors with torchvision's keys, readable by two lines of Python, and
// what the model is and how it came to be in the metadata:
//   format = "edgeprune/1" ("edgeprune/2": quantised, models/quantization.h), graph, normalisation, resize, classes, history (JSON each; files of before
//   version 0.2 have no resize and mean Resize::plain, which is what they were trained with, and
//   instead of the graph an architecture, MobileNetV2's table of blocks), and padding = "same" if that is
//   TensorFlow's.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/nn/network.h"
#include "models/library_variant.h"
#include "models/quantization.h"
#include "models/resize.h"
#include "models/weights_file.h"

namespace edgeprune {

/// What a model needs besides its weights.
struct ModelInfo {
  /// ImageNet's, as the pretrained weights expect.
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  Resize resize = Resize::squash;
  /// The graph has TensorFlow's padding SAME, which belongs to its input size: require_same_padding().
  bool same_padding = false;
  std::vector<std::string> classes;  ///< names, by label
  /// One object a step: what was done, with what, to which parent.
  nlohmann::json history = nlohmann::json::array();
  /// Of a quantised model, whose weights lie on their grids.
  std::optional<Quantization> quantization = {};

  /// The method of the last pruning step in the history ("none" if there is none).
  std::string pruned_by() const;
  /// Whether the zeros are meant to stay: pruned here, or imported with zeros.
  bool is_pruned() const;
  /// Whether the names are those that a file without names gets.
  bool has_placeholder_names() const;
};

/// JSON by key, as files hold it: normalisation, resize, classes, history, padding.
std::map<std::string, std::string> metadata_of(const ModelInfo& info);

/// "class 0", "class 1" ...
std::vector<std::string> placeholder_names(int64_t classes);

struct Checkpoint {
  std::unique_ptr<nn::Network> model;
  ModelInfo info;
  std::string sha256;                   ///< of the file
  std::vector<std::string> notes = {};  ///< what people should know about how it was read
};

/// The network for inference: fold_batch_norm(), and in integers if it is quantised.
inference::Graph inference_graph(const nn::Network& model, const ModelInfo& info);

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
void save_checkpoint(const std::string& path, const nn::Network& model, const ModelInfo& info,
                     Storage storage = Storage::dense);
/// The size of that file.
int64_t checkpoint_bytes(const nn::Network& model, const ModelInfo& info, Storage storage);

/// What to make of a file; what is 0 is as the file has it.
struct Wanted {
  std::string network = "";  ///< a file of another one is refused
  double width = 0;
  int64_t input_size = 0;
  /// Another number than the file's replaces the head, by one drawn from `seed`, and the names.
  int64_t classes = 0;
  uint64_t seed = 0;
  bool quantized = false;  ///< a quantised model will do, too; else its file is refused
  std::string key = "";    ///< the entry of a PyTorch checkpoint that holds the weights
  TrainedIn trained_in = TrainedIn::guessed;  ///< if the file is not ours
};

/// Reads checkpoints of ours, both kinds, bit for bit (but for subnormal values: read_weights()),
/// and what others wrote: any safetensors or PyTorch checkpoint of a network of models/networks.h under
/// torchvision's, timm's or transformers' names. Those get the graph from their shapes (recognise()), 64x64 images unless
/// another size is wanted, ImageNet's normalisation, placeholder names, and a history that begins with
/// their import; zeros, if there are more than chance would leave, are to stay. Throws FileError
/// (missing, truncated, damaged; tensors that do not fit the graph: the first three, and a guess).
Checkpoint load_checkpoint(const std::string& path, const Wanted& wanted = {});

/// The two halves of load_checkpoint(), for those who must know what a file is before they can say
/// what they want of it.
struct StoredCheckpoint {
  std::string path, sha256;
  WeightsFile file;
};
StoredCheckpoint read_checkpoint(const std::string& path, const Wanted& wanted = {});
Checkpoint make_checkpoint(StoredCheckpoint stored, const Wanted& wanted);

}  // namespace edgeprune
