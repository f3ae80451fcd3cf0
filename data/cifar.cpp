#include "data/cifar.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <sstream>

#include "data/cifar_pickle.h"
#include "data/tar.h"
#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 32;
constexpr size_t kPlane = kSide * kSide;

/// One of the versions that can be downloaded.
struct CifarVersion {
  const char* title;
  const char* folder;  ///< that the archive unfolds to
  std::vector<std::string> train, test;
  const char* names;  ///< the file of class names
  size_t classes;
  size_t label_bytes = 0;  ///< in front of a record's pixels; the last one counts
  /// Of the Python version, which is pickled: the keys of labels and of class names.
  const char *labels_key = nullptr, *names_key = nullptr;

  const std::vector<std::string>& batches(Split split) const {
    return split == Split::train ? train : test;
  }
};

const std::vector<CifarVersion>& versions() {
  static const std::vector<CifarVersion> all = {
      {"CIFAR-10 binary",
       "cifar-10-batches-bin",
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
        "data_batch_5.bin"},
       {"test_batch.bin"},
       "batches.meta.txt",
       10,
       1},
      {"CIFAR-100 binary",
       "cifar-100-binary",
       {"train.bin"},
       {"test.bin"},
       "fine_label_names.txt",
       100,
       2},
      {"CIFAR-10 for Python",
       "cifar-10-batches-py",
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"},
       {"test_batch"},
       "batches.meta",
       10,
       0,
       "labels",
       "label_names"},
      {"CIFAR-100 for Python",
       "cifar-100-python",
       {"train"},
       {"test"},
       "meta",
       100,
       0,
       "fine_labels",
       "fine_label_names"},
  };
  return all;
}

/// A version's files, wherever they lie.
struct CifarFiles {
  const CifarVersion* version = nullptr;
  fs::path place;  ///< the folder; in an archive, the archive and the folder in it
  std::map<std::string, std::vector<char>> archived;  ///< by name
  bool in_archive = false;

  std::string path(const std::string& name) const { return (place / name).string(); }
  bool has(const std::string& name) const {
    std::error_code ignored;
    return in_archive ? archived.contains(name) : fs::is_regular_file(place / name, ignored);
  }
  std::vector<char> read(const std::string& name) const {
    if (!in_archive) return read_file(path(name));
    require_file(has(name), path(name), "is not in the archive");
    return archived.at(name);
  }
  bool has_batches() const {
    return std::ranges::any_of(version->train, [&](const auto& name) { return has(name); }) ||
           std::ranges::any_of(version->test, [&](const auto& name) { return has(name); });
  }
};

std::optional<CifarFiles> find_in_folder(const fs::path& folder) {
  for (const CifarVersion& version : versions()) {
    for (const fs::path& place : {folder, folder / version.folder}) {
      CifarFiles files{&version, place, {}, false};
      if (files.has_batches()) return files;
    }
  }
  return std::nullopt;
}

/// Reads what the split needs.
std::optional<CifarFiles> find_in_archive(const std::string& archive, Split split) {
  std::set<std::string> wanted;
  for (const CifarVersion& version : versions()) {
    const std::string folder = std::string(version.folder) + '/';
    for (const std::string& name : version.batches(split)) wanted.insert(folder + name);
    wanted.insert(folder + version.names);
  }
  auto contents = read_tar(archive, wanted);
  for (const CifarVersion& version : versions()) {
    CifarFiles files{&version, fs::path(archive) / version.folder, {}, true};
    for (auto& [path, content] : contents) {
      const fs::path inner(path);
      if (inner.parent_path() == version.folder) {
        files.archived[inner.filename().string()] = std::move(content);
      }
    }
    if (files.has_batches()) return files;
  }
  return std::nullopt;
}

/// Those that are not empty, `most` of them.
std::vector<std::string> lines_of(const std::string& text, size_t most) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; lines.size() < most && std::getline(stream, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> class_names(const CifarFiles& files) {
  const CifarVersion& version = *files.version;
  if (!files.has(version.names) && version.classes == 10) {
    return {"airplane", "automobile", "bird",  "cat",  "deer",
            "dog",      "frog",       "horse", "ship", "truck"};
  }
  const std::vector<char> content = files.read(version.names);
  std::vector<std::string> names =
      version.names_key != nullptr
          ? read_pickled_names(content, files.path(version.names), version.names_key)
          : lines_of({content.begin(), content.end()}, version.classes + 1);
  for (std::string& name : names) name = as_utf8(name);
  require_file(names.size() == version.classes, files.path(version.names),
               "{} class names expected, found {}{}", version.classes, names.size(),
               names.size() > version.classes ? " or more" : "");
  return names;
}

Image interleave(const uint8_t* planes) {
  Image image{kSide, kSide, std::vector<uint8_t>(3 * kPlane)};
  for (size_t i = 0; i < kPlane; ++i) {
    for (size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = planes[c * kPlane + i];
  }
  return image;
}

void append(const CifarFiles& files, const std::string& name, size_t record, int64_t label,
            const char* planes, Dataset& dataset) {
  const auto classes = static_cast<int64_t>(files.version->classes);
  require_file(label >= 0 && label < classes, files.path(name),
               "record {} has label {}, at most {} expected", record, label, classes - 1);
  dataset.labels.push_back(static_cast<int>(label));
  dataset.images.push_back(interleave(reinterpret_cast<const uint8_t*>(planes)));
}

void append_batch(const CifarFiles& files, const std::string& name, Dataset& dataset) {
  const CifarVersion& version = *files.version;
  const std::vector<char> content = files.read(name);
  if (version.labels_key != nullptr) {
    const PickledBatch batch = read_pickled_batch(content, files.path(name), version.labels_key);
    for (size_t i = 0; i < batch.labels.size(); ++i) {
      append(files, name, i, batch.labels[i], batch.pixels.data() + i * 3 * kPlane, dataset);
    }
    return;
  }
  const size_t size = version.label_bytes + 3 * kPlane;
  require_file(!content.empty() && content.size() % size == 0, files.path(name),
               "{} bytes is no whole number of {} records of {} bytes (truncated?)", content.size(),
               version.title, size);
  for (size_t i = 0; i < content.size() / size; ++i) {
    const char* record = content.data() + i * size;
    append(files, name, i, static_cast<uint8_t>(record[version.label_bytes - 1]),
           record + version.label_bytes, dataset);
  }
}

}  // namespace

bool is_cifar(const std::string& location) {
  return is_tar(location) || find_in_folder(location).has_value();
}

Dataset read_cifar(const std::string& location, Split split) {
  const auto files = is_tar(location) ? find_in_archive(location, split) : find_in_folder(location);
  require_file(files.has_value(), location, "no batches of CIFAR-10 or CIFAR-100 found ({})",
               to_string(split));
  Dataset dataset;
  dataset.classes = class_names(*files);
  dataset.source =
      fmt::format("{} ({}, {})", files->place.string(), files->version->title, to_string(split));
  for (const std::string& name : files->version->batches(split)) {
    append_batch(*files, name, dataset);
  }
  return dataset;
}

}  // namespace edgeprune
