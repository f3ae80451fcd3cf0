#include "data/image_folder.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iterator>

#include "engine/base/check.h"
#include "engine/base/parallel.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".bmp";
}

/// Names of the entries that `wanted` accepts, sorted; hidden ones are left out.
template <typename Wanted>
std::vector<std::string> list(const fs::path& folder, const Wanted& wanted) {
  std::vector<std::string> names;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      if (name.front() != '.' && wanted(entry)) names.push_back(std::move(name));
    }
  } catch (const fs::filesystem_error& error) {
    throw FileError(fmt::format("{}: {}", folder.string(), error.code().message()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> list_classes(const fs::path& split_folder) {
  std::vector<std::string> classes =
      list(split_folder, [](const fs::directory_entry& entry) { return entry.is_directory(); });
  require_file(!classes.empty(), split_folder.string(),
               "no class folders found, one folder of images per class was expected");
  return classes;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

void check_same_classes(const fs::path& folder) {
  const std::vector<std::string> train = list_classes(folder / "train");
  const std::vector<std::string> test = list_classes(folder / "test");
  std::vector<std::string> differing;
  std::set_symmetric_difference(train.begin(), train.end(), test.begin(), test.end(),
                                std::back_inserter(differing));
  if (differing.empty()) return;
  const bool in_train = std::binary_search(train.begin(), train.end(), differing.front());
  throw FileError(fmt::format(
      "{}: train has {} classes, test {}, and they must be the same: '{}' is only in {}",
      folder.string(), train.size(), test.size(), differing.front(), in_train ? "train" : "test"));
}

std::vector<Image> read_images(const std::vector<std::string>& paths) {
  std::vector<Image> images(paths.size());
  // An exception must not leave the parallel region. Parts are in order, and each stops at its
  // first error, so the first one kept is the first in the data, whatever the number of threads.
  std::vector<std::exception_ptr> errors(static_cast<size_t>(thread_count()));
  parallel_for(static_cast<int64_t>(paths.size()), 16, [&](int64_t begin, int64_t end, int part) {
    try {
      for (int64_t i = begin; i < end; ++i) images[i] = read_image(paths[i]);
    } catch (...) {
      errors[part] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return images;
}

}  // namespace

bool is_image_folder(const std::string& folder) {
  return is_folder(fs::path(folder) / "train") || is_folder(fs::path(folder) / "test");
}

Dataset read_image_folder(const std::string& folder, Split split) {
  const fs::path split_folder = fs::path(folder) / to_string(split);
  const fs::path other = fs::path(folder) / (split == Split::train ? "test" : "train");
  require_file(is_folder(split_folder), folder, "has no {}/ folder", to_string(split));
  if (is_folder(other)) check_same_classes(folder);

  Dataset dataset;
  dataset.classes = list_classes(split_folder);
  dataset.source = fmt::format("{} (image folder, {})", folder, to_string(split));
  std::vector<std::string> paths;
  for (size_t label = 0; label < dataset.classes.size(); ++label) {
    const fs::path class_folder = split_folder / dataset.classes[label];
    const std::vector<std::string> files = list(class_folder, [](const fs::directory_entry& entry) {
      return is_image_name(entry.path()) && entry.is_regular_file();
    });
    require_file(!files.empty(), class_folder.string(),
                 "no images found (.jpg, .jpeg, .png, .bmp) in this class folder");
    for (const std::string& file : files) paths.push_back((class_folder / file).string());
    dataset.labels.resize(paths.size(), static_cast<int>(label));
  }
  dataset.images = read_images(paths);
  return dataset;
}

}  // namespace edgeprune
