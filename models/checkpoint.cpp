#include "models/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <future>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"
#include "engine/tensor/safetensors.h"
#include "models/blocks.h"
#include "models/fold.h"
#include "models/mobilenet_v2.h"
#include "models/networks.h"
#include "models/recognise.h"
#include "models/sparse_storage.h"
#include "models/summary.h"
#include "models/weights_file.h"

namespace edgeprune {
namespace {

constexpr const char *kFormat = "edgeprune/1", *kQuantizedFormat = "edgeprune/2";

constexpr const char *kFamily = "edgeprune/", *kSame = "same";
constexpr double kFewZeros = 0.01;  ///< of the prunable weights: what nobody pruned may have

int64_t input_size_of(const Wanted& wanted) {
  return wanted.input_size != 0 ? wanted.input_size : onnx::kOpenSize;
}

const std::string& metadata_at(const Archive& archive, const std::string& path, const char* key) {
  const auto found = archive.metadata.find(key);
  require_file(found != archive.metadata.end(), path,
               "no edgeprune checkpoint: metadata has no '{}'", key);
  return found->second;
}

/// What images a network may have here: squares of three colours, of a size that options allow.
void require_images(const Graph& graph) {
  const auto& images = std::get<kind::Input>(graph.nodes.front().kind);
  require(images.channels == 3 && images.height == images.width, "metadata",
          "expected square images of 3 channels, got {} of {}x{}", images.channels, images.height,
          images.width);
  require_sensible("metadata", graph.width, graph.input_size(), graph.classes());
}

Graph parse_metadata(const Archive& archive, const std::string& path, ModelInfo& info) {
  const auto parsed = [&](const char* key) {
    return parse_json(metadata_at(archive, path, key),
                      fmt::format("{}: damaged metadata '{}'", path, key));
  };
  const bool old = !archive.metadata.contains("graph") && archive.metadata.contains("architecture");
  const Graph graph = old ? mobilenet_v2_of(parsed("architecture")) : parsed("graph").get<Graph>();
  require_images(graph);
  const auto normalisation = parsed("normalisation");
  normalisation.at("mean").get_to(info.mean);
  normalisation.at("std").get_to(info.std);
  for (const float deviation : info.std) {
    require(deviation > 0, "metadata", "a standard deviation of {}", deviation);
  }
  info.resize = archive.metadata.contains("resize")
                    ? parse_resize(parsed("resize").get<std::string>())
                    : Resize::plain;
  if (archive.metadata.contains("padding")) {
    const auto padding = parsed("padding").get<std::string>();
    require(padding == kSame, "metadata", "expected padding '{}', got '{}'", kSame,
            printable(padding));
    info.same_padding = true;
  }
  parsed("classes").get_to(info.classes);
  info.history = parsed("history").get<std::vector<nlohmann::json::object_t>>();
  info.pruned_by(), info.is_pruned();  // throw on steps that are none
  const auto classes = static_cast<int64_t>(info.classes.size());
  require(classes == graph.classes(), "metadata", "{} class names for {} classes", classes,
          graph.classes());
  return graph;
}

/// Damaged metadata may describe a network of terabytes: refuses one far larger than the file
/// before memory is asked for. (What is missing otherwise is for load_state_dict() to list.)
void require_plausible(const Graph& graph, const Archive& archive) {
  constexpr int64_t kMostMissing = 4;  // times as many as there are
  const int64_t expected = count_values(graph);
  int64_t present = 0;
  for (const auto& [name, array] : archive.arrays) {
    present += static_cast<int64_t>(array.bytes.size() / sizeof(float));
  }
  require(expected / kMostMissing <= present, "metadata",
          "it describes {} weights, the file has {} values", expected, present);
}

/// The graph of a file without metadata. One that is of no network at all is compared with the paper's.
Graph from_shapes(const Archive& archive, int64_t input_size, const std::string& network) {
  try {
    Graph found = recognise(archive.arrays, input_size, network);
    require_plausible(found, archive);
    return found;
  } catch (const std::invalid_argument&) {
    return build_network(
        {.name = network.empty() ? kDefaultNetwork : network, .input_size = input_size});
  }
}

/// Zeros of the prunable weights. A head of nothing else was not pruned but is new: some begin so.
int64_t count_zeros(const ModelSummary& summary, const std::string& head) {
  int64_t zeros = 0;
  for (const LayerSummary& layer : summary.layers) {
    const int64_t own = layer.parameters - layer.nonzeros;
    if (layer.name != head || layer.nonzeros > 0) zeros += own;
  }
  return zeros;
}

/// Whether more of the prunable weights are zero than chance would leave, padding aside.
bool looks_pruned(const ModelSummary& summary, const std::string& head, int64_t padding_zeros) {
  const int64_t zeros = count_zeros(summary, head) - padding_zeros;
  return zeros > 0 && double(zeros) >= kFewZeros * double(summary.prunable);
}

/// The history of what others wrote, and what was assumed. `graph` is the network before the library's
/// variant was made of it, which put so many zeros in as padding.
void describe_foreign(const std::string& path, const WeightsFile& file, const Wanted& wanted,
                      const Graph& graph, int64_t padding_zeros, Checkpoint& checkpoint) {
  const bool centred = checkpoint.info.mean[0] == 0.5f;
  checkpoint.notes.push_back(fmt::format(
      "{0}: no checkpoint of edgeprune's, read as edgeprune import would: {1} of width {2:g}, "
      "{3}x{3} images{4}{5}, {6}",
      path, graph.network, graph.width, graph.input_size(),
      wanted.input_size == 0 ? " (else give --input-size)" : "",
      wanted.classes == 0 ? fmt::format(", {} classes without names", graph.classes()) : "",
      centred ? "scaled to [-1, 1]; trained in TensorFlow: padding SAME, epsilon 1e-3"
              : "normalised as ImageNet"));
  if (file.library == Library::timm && !centred) {
    checkpoint.notes.push_back(fmt::format(
        "{}: taken for one of timm's own; one of its tf_ networks needs --trained-in tensorflow",
        path));
  }
  if (nlohmann::json(graph) != nlohmann::json(build_network(spec_of(graph)))) {
    checkpoint.notes.push_back(fmt::format(
        "{}: its channels are those of no width multiplier: taken as of width {:g} with "
        "some removed",
        path, graph.width));
  }
  nlohmann::json step = {{"step", "import"}, {"sha256", checkpoint.sha256}};
  const ModelSummary summary = summarize(*checkpoint.model);
  const std::string& head = checkpoint.model->head().name;
  const int64_t zeros = count_zeros(summary, head) - padding_zeros;
  const int64_t prunable = summary.prunable;
  const bool pruned = file.masked || looks_pruned(summary, head, padding_zeros);
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
void fit_head(std::map<std::string, Array>& arrays, const Graph& graph, const std::string& path,
              const Wanted& wanted, Checkpoint& checkpoint) {
  const std::string &head = graph.head(), weight = head + ".weight", bias = head + ".bias";
  const auto found = arrays.find(weight);
  if (found != arrays.end() && found->second.shape.rank() > 0 &&
      found->second.shape[0] == wanted.classes) {
    checkpoint.notes.push_back(
        fmt::format("{}: {} taken over ({} classes)", path, head, wanted.classes));
    return;
  }
  const std::string before =
      found == arrays.end()
          ? "absent"
          : fmt::format("for {} classes",
                        found->second.shape.rank() == 0 ? 0 : found->second.shape[0]);
  checkpoint.notes.push_back(
      fmt::format("{}: {} is {} in the file: replaced by a new one for {} classes (seed {})", path,
                  head, before, wanted.classes, wanted.seed));
  const auto own = nn::Network(graph, wanted.seed).state_dict();
  arrays[weight] = own.at(weight);
  arrays[bias] = own.at(bias);
  checkpoint.info.classes = placeholder_names(wanted.classes);
}

/// The graph that the file has, changed to what is wanted. One of ours that has the width already is not built
/// anew, as it would lack what only the file says: TensorFlow's padding, epsilons, channels that were removed.
Graph fit_graph(Graph graph, const Wanted& wanted, bool own) {
  require(wanted.network.empty() || wanted.network == graph.network, "network",
          "it is {}, expected {}", printable(graph.network), wanted.network);
  if (wanted.input_size != 0) graph.set_input_size(wanted.input_size);
  if (wanted.classes > 0) graph.set_classes(wanted.classes);
  if (wanted.width != 0 && !(own && wanted.width == graph.width)) {
    NetworkSpec spec = spec_of(graph);
    spec.width = wanted.width;
    const Graph anew = build_network(spec);
    // Widths that differ by little have the same channels.
    if (!own || count_values(anew) != count_values(graph)) graph = anew;
  }
  infer_shapes(graph);
  require_images(graph);
  return graph;
}

Archive to_archive(const nn::Network& model, const ModelInfo& info, Storage storage) {
  Archive archive{model.state_dict(), {}};
  archive.metadata = metadata_of(info);
  archive.metadata["format"] = info.quantization ? kQuantizedFormat : kFormat;
  archive.metadata["graph"] = nlohmann::json(model.graph()).dump();
  if (info.quantization) store_quantized(archive, *info.quantization);
  if (storage == Storage::dense) return archive;
  std::vector<std::string> names;
  for (const PrunableWeight& weight : prunable_weights(model)) names.push_back(weight.name);
  return store_sparse(std::move(archive), names);
}

}  // namespace

inference::Graph inference_graph(const nn::Network& model, const ModelInfo& info) {
  return info.quantization ? in_integers(model, *info.quantization) : fold_batch_norm(model);
}

std::map<std::string, std::string> metadata_of(const ModelInfo& info) {
  std::map<std::string, std::string> metadata = {
      {"normalisation", nlohmann::json{{"mean", info.mean}, {"std", info.std}}.dump()},
      {"resize", nlohmann::json(to_string(info.resize)).dump()},
      {"classes", nlohmann::json(info.classes).dump()},
      {"history", info.history.dump()},
  };
  if (info.same_padding) metadata["padding"] = nlohmann::json(kSame).dump();
  return metadata;
}

std::string ModelInfo::pruned_by() const {
  std::string method = "none";
  for (const auto& step : history) {
    if (step.value("step", "") == "prune") method = step.value("method", "none");
  }
  return method;
}

void save_checkpoint(const std::string& path, const nn::Network& model, const ModelInfo& info,
                     Storage storage) {
  write_safetensors(path, to_archive(model, info, storage));
}

int64_t checkpoint_bytes(const nn::Network& model, const ModelInfo& info, Storage storage) {
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
  return make_checkpoint(read_checkpoint(path, wanted), wanted);
}

StoredCheckpoint read_checkpoint(const std::string& path, const Wanted& wanted) {
  // Of a large file beside the reading; a thread for each small one would take longer than that.
  constexpr uintmax_t kLarge = 1 << 20;
  std::error_code missing;  // which read_weights() will say
  const auto size = std::filesystem::file_size(path, missing);
  auto sha256 = std::async(!missing && size >= kLarge ? std::launch::async | std::launch::deferred
                                                      : std::launch::deferred,
                           sha256_of_file, path);
  WeightsFile file = read_weights(path, wanted.key, input_size_of(wanted));
  std::vector<std::string> files = file.archive.other_files;
  if (files.empty()) return {path, sha256.get(), std::move(file)};
  files.insert(files.begin(), path);
  return {path, sha256_of_files(files), std::move(file)};
}

Checkpoint make_checkpoint(StoredCheckpoint stored, const Wanted& wanted) {
  auto& [path, sha256, file] = stored;
  auto& arrays = file.archive.arrays;
  const auto format = file.archive.metadata.find("format");
  const bool own = format != file.archive.metadata.end() && format->second.starts_with(kFamily);
  const bool quantized = own && format->second == kQuantizedFormat;
  require_file(!own || quantized || format->second == kFormat, path,
               "expected format {} or {}, got '{}'", kFormat, kQuantizedFormat,
               own ? printable(format->second) : "");
  require_file(!quantized || wanted.quantized, path,
               "it is quantised: expected the model in floats that it was made from");
  require_file(!(own || file.onnx) || wanted.trained_in == TrainedIn::guessed, path,
               "--trained-in is for weights alone; {} says how it computes",
               file.onnx ? "an ONNX file" : "a checkpoint of edgeprune's");
  Checkpoint checkpoint;
  for (const std::string& note : file.archive.notes) {
    checkpoint.notes.push_back(fmt::format("{}: {}", path, note));
  }
  checkpoint.sha256 = sha256;
  try {
    if (quantized) checkpoint.info.quantization = restore_quantized(file.archive);
    const Graph found = own ? parse_metadata(file.archive, path, checkpoint.info)
                            : from_shapes(file.archive, input_size_of(wanted),
                                          wanted.network.empty() ? file.network : wanted.network);
    if (!own) checkpoint.info.classes = placeholder_names(found.classes());
    if (checkpoint.info.same_padding && wanted.input_size != 0) {
      require_same_padding(found, wanted.input_size);
    }
    const Graph fitted = fit_graph(found, wanted, own);
    Graph graph = fitted;
    int64_t padding_zeros = 0;
    if (!own) {
      const Variant variant = variant_of(file.library, graph.network, wanted.trained_in);
      padding_zeros = apply_variant(variant, graph, arrays);
      checkpoint.info.same_padding = variant.same_padding;
      if (variant.centred) checkpoint.info.mean = checkpoint.info.std = {0.5f, 0.5f, 0.5f};
    }
    try {
      if (own || wanted.width != 0) require_plausible(graph, file.archive);
      if (wanted.classes > 0) fit_head(arrays, graph, path, wanted, checkpoint);
      checkpoint.model = std::make_unique<nn::Network>(graph);
      checkpoint.model->load_state_dict(arrays);
      if (quantized)
        RoundedOutputs(*checkpoint.model, *checkpoint.info.quantization);  // none missing
    } catch (const std::invalid_argument& error) {
      throw FileError(fmt::format("{}: {}{}", path, error.what(), guess(arrays, graph)));
    }
    if (file.onnx) {
      nlohmann::json& step = checkpoint.info.history.back();
      step["sha256"] = sha256;
      const nn::Network& model = *checkpoint.model;
      if (looks_pruned(summarize(model), model.head().name,
                       step.value("padding_zeros", int64_t{0}))) {
        step["pruned"] = true;
      }
    }
    if (!own) describe_foreign(path, file, wanted, fitted, padding_zeros, checkpoint);
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged metadata: {}", path, error.what()));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: {}", path, error.what()));
  }
  return checkpoint;
}

}  // namespace edgeprune
