#include "models/checkpoint.h"

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"
#include "engine/tensor/safetensors.h"
#include "models/pth/pth_reader.h"
#include "models/sparse_storage.h"
#include "models/summary.h"

namespace edgeprune {
namespace {

constexpr const char* kFormat = "edgeprune/1";

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

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
  info.pruned_by();  // throws on steps that are none
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

Archive read_dense(const std::string& path) {
  Archive archive = read_safetensors(path);
  try {
    return restore_dense(std::move(archive));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
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

Checkpoint load_checkpoint(const std::string& path) {
  const Archive archive = read_dense(path);
  const std::string& format = metadata_at(archive, path, "format");
  require_file(format == kFormat, path, "expected format {}, got '{}'", kFormat, printable(format));
  Checkpoint checkpoint;
  try {
    const Architecture architecture = parse_metadata(archive, path, checkpoint.info);
    require_plausible(architecture, archive);
    checkpoint.model = std::make_unique<MobileNetV2>(architecture);
    checkpoint.model->load_state_dict(archive.arrays);
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged metadata: {}", path, error.what()));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
  checkpoint.sha256 = sha256_of_file(path);
  return checkpoint;
}

Pretrained load_pretrained(const std::string& path, const Architecture& architecture,
                           uint64_t seed) {
  std::map<std::string, Array> arrays =
      (ends_with(path, ".safetensors") ? read_dense(path) : read_pth(path)).arrays;
  Pretrained result{std::make_unique<MobileNetV2>(architecture, seed), ""};
  const std::string weight = std::string(kHeadName) + ".weight",
                    bias = std::string(kHeadName) + ".bias";
  const auto own = result.model->state_dict();
  const auto found = arrays.find(weight);
  if (found != arrays.end() && found->second.shape.rank() > 0 &&
      found->second.shape[0] == architecture.classes) {
    result.head = fmt::format("{} taken over ({} classes)", kHeadName, architecture.classes);
  } else {
    const std::string before =
        found == arrays.end()
            ? "absent"
            : fmt::format("for {} classes",
                          found->second.shape.rank() == 0 ? 0 : found->second.shape[0]);
    result.head =
        fmt::format("{} is {} in the file: replaced by a new one for {} classes (seed {})",
                    kHeadName, before, architecture.classes, seed);
    arrays[weight] = own.at(weight);
    arrays[bias] = own.at(bias);
  }
  try {
    result.model->load_state_dict(arrays);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(fmt::format("{}: {}", path, error.what()));
  }
  return result;
}

}  // namespace edgeprune
