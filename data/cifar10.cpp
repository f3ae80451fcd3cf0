#include "data/cifar10.h"

#include <cctype>
#include <filesystem>
#include <fstream>

#include "engine/base/check.h"
#include "engine/base/file.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

constexpr int kSide = 32;
constexpr size_t kPlane = kSide * kSide;
constexpr size_t kRecord = 1 + 3 * kPlane;
constexpr int kClasses = 10;

std::vector<std::string> batch_names(Split split) {
  if (split == Split::test) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
          "data_batch_5.bin"};
}

bool holds_batches(const fs::path& folder) {
  std::error_code ignored;
  for (Split split : {Split::train, Split::test}) {
    for (const std::string& name : batch_names(split)) {
      if (fs::exists(folder / name, ignored)) return true;
    }
  }
  return false;
}

fs::path batches_folder(const fs::path& folder) {
  const fs::path inner = folder / "cifar-10-batches-bin";
  return !holds_batches(folder) && holds_batches(inner) ? inner : folder;
}

std::vector<std::string> class_names(const fs::path& folder) {
  const fs::path path = folder / "batches.meta.txt";
  std::ifstream file(path);
  if (!file) {
    return {"airplane", "automobile", "bird",  "cat",  "deer",
            "dog",      "frog",       "horse", "ship", "truck"};
  }
  std::vector<std::string> names;
  for (std::string line; names.size() <= kClasses && std::getline(file, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  require_file(names.size() == kClasses, path.string(), "{} class names expected, found {}{}",
               kClasses, names.size(), names.size() > kClasses ? " or more" : "");
  return names;
}

Image interleave(const uint8_t* planes) {
  Image image{kSide, kSide, std::vector<uint8_t>(3 * kPlane)};
  for (size_t i = 0; i < kPlane; ++i) {
    for (size_t c = 0; c < 3; ++c) image.rgb[3 * i + c] = planes[c * kPlane + i];
  }
  return image;
}

void append_batch(const std::string& path, Dataset& dataset) {
  const std::vector<char> content = read_file(path);
  require_file(!content.empty() && content.size() % kRecord == 0, path,
               "{} bytes is no whole number of CIFAR-10 records of {} bytes (truncated?)",
               content.size(), kRecord);
  for (size_t start = 0; start < content.size(); start += kRecord) {
    const auto* record = reinterpret_cast<const uint8_t*>(content.data()) + start;
    require_file(record[0] < kClasses, path, "record {} has label {}, at most 9 expected",
                 start / kRecord, record[0]);
    dataset.labels.push_back(record[0]);
    dataset.images.push_back(interleave(record + 1));
  }
}

}  // namespace

bool is_cifar10(const std::string& folder) {
  return holds_batches(batches_folder(folder));
}

Dataset read_cifar10(const std::string& folder, Split split) {
  const fs::path batches = batches_folder(folder);
  Dataset dataset;
  dataset.classes = class_names(batches);
  dataset.source = fmt::format("{} (CIFAR-10 binary, {})", batches.string(), to_string(split));
  for (const std::string& name : batch_names(split)) {
    append_batch((batches / name).string(), dataset);
  }
  return dataset;
}

}  // namespace edgeprune
