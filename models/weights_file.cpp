#include "models/weights_file.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "engine/tensor/safetensors.h"
#include "models/onnx/read.h"
#include "models/pth/pth_reader.h"
#include "models/sparse_storage.h"

namespace edgeprune {
namespace {

using Arrays = std::map<std::string, Array>;

enum class Container { safetensors, pth, onnx };

/// By its content. Only what begins as none of them (cut off, damaged, missing) is what its name says.
Container container_of(const std::string& path) {
  if (is_safetensors(path)) return Container::safetensors;
  if (is_pth(path)) return Container::pth;
  if (onnx::is_onnx(path) || path.ends_with(".onnx")) return Container::onnx;
  const bool named_pth = path.ends_with(".pth") || path.ends_with(".pt");
  return named_pth ? Container::pth : Container::safetensors;
}

Archive read_any(Container container, const std::string& path, const std::string& key,
                 int64_t open_size) {
  if (container == Container::pth) return read_pth(path, key);
  require_file(key.empty(), path, "--key is for PyTorch checkpoints; others have no entries");
  if (container == Container::onnx) return onnx::import_onnx(path, open_size);
  Archive archive = read_safetensors(path);
  const auto format = archive.metadata.find("format");
  if (format == archive.metadata.end() || !format->second.starts_with("edgeprune/")) return archive;
  try {
    return restore_dense(std::move(archive));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
}

/// What tools put in front of a module's name wherever it stands.
constexpr std::string_view kWrappers[] = {"_orig_mod.", "_fsdp_wrapped_module.",
                                          "_checkpoint_wrapped_module."};
/// What libraries put in front of all names but the head's.
constexpr std::string_view kBackbones[] = {"backbone.", "mobilenet_v1.", "mobilenet_v2.",
                                           "resnet."};
/// Counters of averaging (torch.optim.swa_utils) and of a profiler: no part of any network.
constexpr std::string_view kCounters[] = {"n_averaged", "total_ops", "total_params"};

bool is_counter(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);  // of npos + 1: all
  return std::ranges::count(kCounters, last) > 0;
}

/// "module." of "module.features.0.0.weight" if every name begins so. Not "features." of weights
/// without a head.
std::string shared_prefix(const Arrays& arrays) {
  if (arrays.empty()) return "";
  const std::string& first = arrays.begin()->first;
  const std::string prefix = first.substr(0, first.find('.') + 1);
  if (prefix.empty() || prefix == "features.") return "";
  for (const auto& [name, array] : arrays) {
    if (!name.starts_with(prefix)) return "";
  }
  return prefix;
}

std::string without_wrappers(std::string name) {
  for (const std::string_view wrapper : kWrappers) {
    for (size_t at = name.find(wrapper); at != name.npos; at = name.find(wrapper, at)) {
      if (at > 0 && name[at - 1] != '.') {
        at += wrapper.size();
      } else {
        name.erase(at, wrapper.size());
      }
    }
  }
  return name;
}

/// Gives every array the name that `change` makes of its own.
template <typename Change>
void rename_all(Arrays& arrays, const std::string& path, const Change& change) {
  Arrays changed;
  while (!arrays.empty()) {
    auto entry = arrays.extract(arrays.begin());
    const std::string before = entry.key();
    entry.key() = change(before);
    require_file(changed.insert(std::move(entry)).inserted, path,
                 "'{}' is there with a prefix and without one", printable(before));
  }
  arrays = std::move(changed);
}

void strip_prefixes(Arrays& arrays, const std::string& path) {
  std::erase_if(arrays, [](const auto& entry) { return is_counter(entry.first); });
  rename_all(arrays, path, without_wrappers);
  constexpr int kMost = 4;  // DataParallel of a compiled network in a trainer
  for (int i = 0; i < kMost; ++i) {
    std::string prefix = shared_prefix(arrays);
    for (const std::string_view backbone : kBackbones) {
      const auto found = arrays.lower_bound(std::string(backbone));
      if (found != arrays.end() && found->first.starts_with(backbone)) prefix = backbone;
    }
    if (prefix.empty()) return;
    rename_all(arrays, path, [&](const std::string& name) {
      return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    });
  }
}

/// Other types as floats, and counters of batches as long integers; PyTorch before 0.4.1 kept none.
void convert_types(Archive& archive, bool own) {
  constexpr std::string_view kCounter = "num_batches_tracked", kVariance = "running_var";
  std::string converted;
  std::vector<std::string> missing;
  for (auto& [name, array] : archive.arrays) {
    const DType stored = array.dtype;
    if (stored != DType::f32) array = array.to_f32();
    if (array.dtype != stored) converted = to_string(stored);
    if (name.ends_with(kCounter)) array = array.to_i64();
    if (own || !name.ends_with(kVariance)) continue;
    const std::string counter =
        name.substr(0, name.size() - kVariance.size()) + std::string(kCounter);
    if (!archive.arrays.contains(counter)) missing.push_back(counter);
  }
  for (const std::string& counter : missing) archive.arrays[counter] = Array::from(int64_t{0});
  if (!converted.empty()) archive.notes.push_back("converted from " + converted + " to float32");
}

/// X = X_orig * X_mask, as torch.nn.utils.prune keeps a pruned weight. True if there was one.
bool apply_masks(Arrays& arrays, const std::string& path) {
  constexpr std::string_view kOriginalSuffix = "_orig", kMaskSuffix = "_mask";
  std::vector<std::string> names;
  for (const auto& [name, array] : arrays) {
    if (!name.ends_with(kOriginalSuffix)) continue;
    const std::string weight = name.substr(0, name.size() - kOriginalSuffix.size());
    if (arrays.contains(weight + std::string(kMaskSuffix))) names.push_back(weight);
  }
  for (const std::string& name : names) {
    const std::string mask_name = name + std::string(kMaskSuffix);
    const Array original = std::move(arrays.extract(name + std::string(kOriginalSuffix)).mapped());
    const Array mask = std::move(arrays.extract(mask_name).mapped());
    require_file(
        original.dtype == DType::f32 && mask.dtype == DType::f32 && original.shape == mask.shape,
        path, "tensor '{}' is {} {}, its mask {} {}: expected floats of one shape", printable(name),
        to_string(original.dtype), original.shape.to_string(), to_string(mask.dtype),
        mask.shape.to_string());
    Tensor weight = original.to_tensor(name);
    const Tensor kept = mask.to_tensor(mask_name);
    const std::string shown = printable(mask_name);
    for (int64_t i = 0; i < weight.count(); ++i) {
      const float keep = kept.data()[i];
      require_file(keep == 0 || keep == 1, path, "mask '{}' has {} at index {}, expected 0 or 1",
                   shown, keep, i);
      if (keep == 0) weight.data()[i] = 0;  // not by multiplication, which could leave -0
    }
    require_file(arrays.emplace(name, Array::from(weight)).second, path,
                 "'{}' is there with a mask and without one", printable(name));
  }
  return !names.empty();
}

/// Whether all values are zeros or normal: what nearly all arrays are, found sixteen values at a time.
bool all_normal(const Array& array) {
  constexpr uint32_t kExponent = 0x7f80'0000, kFraction = 0x007f'ffff;
  uint32_t others = 0;
  for (size_t at = 0; at < array.bytes.size(); at += sizeof(uint32_t)) {
    uint32_t bits;
    std::memcpy(&bits, array.bytes.data() + at, sizeof bits);
    const uint32_t exponent = bits & kExponent;
    others |= uint32_t{exponent == kExponent} | uint32_t{exponent == 0 && (bits & kFraction) != 0};
  }
  return others == 0;
}

/// Returns how many values were subnormal.
int64_t check_values(const std::string& name, Array& array, const std::string& path) {
  const bool variance = name.ends_with("running_var");
  if (!variance && all_normal(array)) return 0;
  // Composed once, not for each of millions of values.
  const std::string shown = printable(name), shape = array.shape.to_string();
  int64_t subnormal = 0;
  for (size_t i = 0; i < array.bytes.size() / sizeof(float); ++i) {
    float value;
    std::byte* place = array.bytes.data() + i * sizeof value;
    std::memcpy(&value, place, sizeof value);
    require_file(std::isfinite(value), path, "tensor '{}' has {} at index {} of {}: damaged", shown,
                 value, i, shape);
    require_file(!variance || value >= 0, path,
                 "tensor '{}' has {} at index {}, but a variance is never negative: damaged", shown,
                 value, i);
    if (!is_subnormal(value)) continue;
    ++subnormal;
    std::memset(place, 0, sizeof value);
  }
  return subnormal;
}

}  // namespace

WeightsFile read_weights(const std::string& path, const std::string& key, int64_t open_size) {
  const Container container = container_of(path);
  WeightsFile file{read_any(container, path, key, open_size)};
  file.onnx = container == Container::onnx;
  Archive& archive = file.archive;
  const auto format = archive.metadata.find("format");
  const bool own = format != archive.metadata.end() && format->second.starts_with("edgeprune/");
  if (!own) strip_prefixes(archive.arrays, path);
  convert_types(archive, own);
  if (const auto theirs = own ? std::nullopt : find_library(archive.arrays)) {
    archive.arrays = renamed(std::move(archive.arrays), *theirs);
    file.library = theirs->library;
    file.network = theirs->network;
    archive.notes.push_back(fmt::format("{} under the names of {}", theirs->network,
                                        name_of(kLibraries, theirs->library)));
  }
  file.masked = apply_masks(archive.arrays, path);
  int64_t subnormal = 0;
  for (auto& [name, array] : archive.arrays) {
    if (array.dtype == DType::f32) subnormal += check_values(name, array, path);
  }
  if (subnormal > 0) {
    archive.notes.push_back(
        fmt::format("{} subnormal values (smaller than 1.2e-38) are taken as zero", subnormal));
  }
  return file;
}

int64_t flush_subnormals(const nn::Module& module) {
  int64_t flushed = 0;
  for (NamedVariable parameter : module.parameters()) {
    for (float& value : parameter.variable.value().values()) {
      if (!is_subnormal(value)) continue;
      value = 0;
      ++flushed;
    }
  }
  return flushed;
}

}  // namespace edgeprune
