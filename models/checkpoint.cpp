#include "models/checkpoint.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"
#include "engine/tensor/safetensors.h"
#include "models/recognise.h"
#include "models/sparse_storage.h"
#include "models/summary.h"
#include "models/weights_file.h"

namespace edgeprune {
namespace {

constexpr const char* kFormat = "edgeprune/1";

constexpr const char* kFamily = "edgeprune/";
constexpr int64_t kDefaultInputSize = 64;
constexpr double kFewZeros = 0.01;  ///< of the prunable weights: what nobody pruned may have

const std::string& metadata_at(const Archive& archive, const std::string& path, const char* key) {
  const auto found = archive.metadata.find(key);
  require_file(found != archive.metadata.end(), path,
               "no edgeprune checkpoint: metadata has no '{}'", key);
  return found->second;
}

Architecture parse_metadata(const Archive& archive, const std::string& path, ModelInfo& info) {
  const auto parsed = [&](const char* key) {
    return parse_json(metadata_at(archive, path, key),
                      fmt::format("{}: damaged metadata '{}'", path, key));
  };
  const auto architecture = parsed("architecture").get<Architecture>();
  const auto normalisation = parsed("normalisation");
  normalisation.at("mean").get_to(info.mean);
  normalisation.at("std").get_to(info.std);
  for (const float deviation : info.std) {
    require(deviation > 0, "metadata", "a standard deviation of {}", deviation);
  }
  info.resize = archive.metadata.contains("resize")
                    ? parse_resize(parsed("resize").get<std::string>())
                    : Resize::plain;
  parsed("classes").get_to(info.classes);
  info.history = parsed("history").get<std::vector<nlohmann::json::object_t>>();
  info.pruned_by(), info.is_pruned();  // throw on steps that are none
  const auto classes = static_cast<int64_t>(info.classes.size());
  require(classes == architecture.classes, "metadata", "{} class names for {} classes", classes,
          architecture.classes);
  return architecture;
}

/// Damaged metadata may describe a network of terabytes: refuses one far larger than the file
/// before memory is asked for. (What is missing otherwise is for load_state_dict() to list.)
void require_plausible(const Architecture& architecture, const Archive& archive) {
  constexpr int64_t kNormParameters = 4;  // of a channel
  constexpr int64_t kMostMissing = 4;     // times as many as there are
  int64_t expected = architecture.classes * (architecture.last + 1), present = 0;
  for (const ConvSpec& spec : unroll(architecture)) {
    expected += spec.shape.weight_count() + kNormParameters * spec.shape.out_channels;
  }
  for (const auto& [name, array] : archive.arrays) {
    present += static_cast<int64_t>(array.bytes.size() / sizeof(float));
  }
  require(expected / kMostMissing <= present, "metadata",
          "it describes {} weights, the file has {} values", expected, present);
}

/// The architecture of a file without metadata. One that is no MobileNetV2 at all is compared with
/// the paper's.
Architecture from_shapes(const Archive& archive, int64_t input_size) {
  try {
    const Architecture found = recognise(archive.arrays, input_size);
    validate(found);
    require_plausible(found, archive);
    return found;
  } catch (const std::invalid_argument&) {
    return Architecture::mobilenet_v2(1.0, input_size);
  }
}

/// Zeros of the prunable weights. A head of nothing else was not pruned but is new: some begin so.
int64_t count_zeros(const MobileNetV2& model) {
  int64_t zeros = 0;
  for (const LayerSummary& layer : summarize(model).layers) {
    const int64_t own = layer.parameters - layer.nonzeros;
    if (layer.name != kHeadName || layer.nonzeros > 0) zeros += own;
  }
  return zeros;
}

/// The history of what others wrote, and what was assumed.
void describe_foreign(const std::string& path, bool masked, const Wanted& wanted,
                      Checkpoint& checkpoint) {
  const Architecture& a = checkpoint.model->architecture();
  checkpoint.notes.push_back(fmt::format(
      "{}: no checkpoint of edgeprune's, read as edgeprune import would: MobileNetV2 of width "
      "{:g}, "
      "{}x{} images{}{}, normalised as ImageNet",
      path, a.width, a.input_size, a.input_size,
      wanted.input_size == 0 ? " (else give --input-size)" : "",
      wanted.classes == 0 ? fmt::format(", {} classes without names", a.classes) : ""));
  const auto whole = Architecture::mobilenet_v2(a.width, a.input_size, a.classes);
  if (nlohmann::json(a) != nlohmann::json(whole)) {
    checkpoint.notes.push_back(fmt::format(
        "{}: its channels are those of no width multiplier: taken as of width {:g} with "
        "some removed",
        path, a.width));
  }
  nlohmann::json step = {{"step", "import"}, {"sha256", checkpoint.sha256}};
  const int64_t zeros = count_zeros(*checkpoint.model);
  const int64_t prunable = summarize(*checkpoint.model).prunable;
  const bool pruned = masked || double(zeros) >= kFewZeros * double(prunable);
  if (pruned) step["pruned"] = true;
  if (zeros > 0) {
    checkpoint.notes.push_back(
        fmt::format("{}: {} of {} prunable weights are zero: {}", path, zeros, prunable,
                    pruned ? "pruned, they stay zero in training"
                           : "too few to be pruning, training changes them"));
  }
  checkpoint.info.history.push_back(step);
}

/// Gives the arrays a head for so many classes.
void fit_head(std::map<std::string, Array>& arrays, const Architecture& architecture,
              const std::string& path, const Wanted& wanted, Checkpoint& checkpoint) {
  const std::string weight = std::string(kHeadName) + ".weight",
                    bias = std::string(kHeadName) + ".bias";
  const auto found = arrays.find(weight);
  if (found != arrays.end() && found->second.shape.rank() > 0 &&
      found->second.shape[0] == wanted.classes) {
    checkpoint.notes.push_back(
        fmt::format("{}: {} taken over ({} classes)", path, kHeadName, wanted.classes));
    return;
  }
  const std::string before =
      found == arrays.end()
          ? "absent"
          : fmt::format("for {} classes",
                        found->second.shape.rank() == 0 ? 0 : found->second.shape[0]);
  checkpoint.notes.push_back(
      fmt::format("{}: {} is {} in the file: replaced by a new one for {} classes (seed {})", path,
                  kHeadName, before, wanted.classes, wanted.seed));
  const auto own = MobileNetV2(architecture, wanted.seed).state_dict();
  arrays[weight] = own.at(weight);
  arrays[bias] = own.at(bias);
  checkpoint.info.classes = placeholder_names(wanted.classes);
}

Archive to_archive(const MobileNetV2& model, const ModelInfo& info, Storage storage) {
  Archive archive{model.state_dict(), {}};
  archive.metadata = {
      {"format", kFormat},
      {"architecture", nlohmann::json(model.architecture()).dump()},
      {"normalisation", nlohmann::json{{"mean", info.mean}, {"std", info.std}}.dump()},
      {"resize", nlohmann::json(to_string(info.resize)).dump()},
      {"classes", nlohmann::json(info.classes).dump()},
      {"history", info.history.dump()},
  };
  if (storage == Storage::dense) return archive;
  std::vector<std::string> names;
  for (const PrunableWeight& weight : prunable_weights(model)) names.push_back(weight.name);
  return store_sparse(std::move(archive), names);
}

}  // namespace

std::string ModelInfo::pruned_by() const {
  std::string method = "none";
  for (const auto& step : history) {
    if (step.value("step", "") == "prune") method = step.value("method", "none");
  }
  return method;
}

void save_checkpoint(const std::string& path, const MobileNetV2& model, const ModelInfo& info,
                     Storage storage) {
  write_safetensors(path, to_archive(model, info, storage));
}

int64_t checkpoint_bytes(const MobileNetV2& model, const ModelInfo& info, Storage storage) {
  return safetensors_bytes(to_archive(model, info, storage));
}

bool ModelInfo::is_pruned() const {
  return std::any_of(history.begin(), history.end(), [](const auto& step) {
    return step.value("step", "") == "prune" || step.value("pruned", false);
  });
}

bool ModelInfo::has_placeholder_names() const {
  return classes == placeholder_names(std::ssize(classes));
}

std::vector<std::string> placeholder_names(int64_t classes) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < classes; ++i) names.push_back(fmt::format("class {}", i));
  return names;
}

Checkpoint load_checkpoint(const std::string& path, const Wanted& wanted) {
  return make_checkpoint(read_checkpoint(path), wanted);
}

StoredCheckpoint read_checkpoint(const std::string& path) {
  WeightsFile file = read_weights(path);
  return {path, sha256_of_file(path), std::move(file)};
}

Checkpoint make_checkpoint(StoredCheckpoint stored, const Wanted& wanted) {
  auto& [path, sha256, file] = stored;
  auto& arrays = file.archive.arrays;
  const auto format = file.archive.metadata.find("format");
  const bool own = format != file.archive.metadata.end() && format->second.starts_with(kFamily);
  require_file(!own || format->second == kFormat, path, "expected format {}, got '{}'", kFormat,
               own ? printable(format->second) : "");
  Checkpoint checkpoint;
  for (const std::string& note : file.archive.notes) {
    checkpoint.notes.push_back(fmt::format("{}: {}", path, note));
  }
  checkpoint.sha256 = sha256;
  try {
    const int64_t size = wanted.input_size != 0 ? wanted.input_size : kDefaultInputSize;
    Architecture architecture =
        own ? parse_metadata(file.archive, path, checkpoint.info) : from_shapes(file.archive, size);
    if (!own) checkpoint.info.classes = placeholder_names(architecture.classes);
    if (wanted.input_size != 0) architecture.input_size = wanted.input_size;
    if (wanted.classes > 0) architecture.classes = wanted.classes;
    if (wanted.width != 0) {
      architecture =
          Architecture::mobilenet_v2(wanted.width, architecture.input_size, architecture.classes);
    }
    validate(architecture);
    try {
      if (own || wanted.width != 0) require_plausible(architecture, file.archive);
      if (wanted.classes > 0) fit_head(arrays, architecture, path, wanted, checkpoint);
      checkpoint.model = std::make_unique<MobileNetV2>(architecture);
      checkpoint.model->load_state_dict(arrays);
    } catch (const std::invalid_argument& error) {
      throw FileError(fmt::format("{}: {}{}", path, error.what(), guess(arrays, architecture)));
    }
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged metadata: {}", path, error.what()));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
  if (!own) describe_foreign(path, file.masked, wanted, checkpoint);
  return checkpoint;
}

}  // namespace edgeprune
