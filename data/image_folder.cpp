#include "data/image_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>

#include "data/image_codec.h"
#include "data/read_images.h"
#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

namespace fs = std::filesystem;

/// Where people keep the images to test on. The first that is there is taken.
constexpr const char* kTestFolders[] = {"test", "val", "valid", "validation"};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return extension;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Why files of an extension are passed over that other builds read.
std::string unread(const std::string& extension) {
  for (const ImageCodec& codec : image_codecs()) {
    if (std::ranges::count(codec.extensions, extension) == 0) continue;
    return fmt::format(" (this edgeprune was built without {})", codec.library);
  }
  return "";
}

/// What lies in a split's folders and is no image of a class: counted, so that a data set that is
/// not read whole does not go unnoticed.
struct PassedOver {
  std::map<std::string, int64_t> others;  ///< files by extension
  int64_t folders = 0, in_folders = 0;    ///< below class folders; images in them
  int64_t broken_links = 0, beside = 0;   ///< links to nothing; files beside the class folders

  std::string to_string() const {
    std::vector<std::string> parts;
    const auto add = [&](int64_t count, const std::string& what) {
      if (count > 0) parts.push_back(fmt::format("{} {}", count, what));
    };
    for (const auto& [extension, count] : others) {
      add(count, fmt::format("file{} {}", count == 1 ? "" : "s",
                             extension.empty()
                                 ? "without extension"
                                 : "ending in " + printable(extension, 20) + unread(extension)));
    }
    add(folders, fmt::format("folder{} inside of class folders, with {} image{}",
                             folders == 1 ? "" : "s", in_folders, in_folders == 1 ? "" : "s"));
    add(broken_links, broken_links == 1 ? "broken link" : "broken links");
    add(beside, fmt::format("file{} beside the class folders", beside == 1 ? "" : "s"));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
};

int64_t images_below(const fs::path& folder) {
  int64_t images = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    images += has_image_extension(entry.path()) && entry.is_regular_file() ? 1 : 0;
  }
  return images;
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

/// Names of the folders of classes.
std::vector<std::string> list_classes(const fs::path& split_folder, PassedOver& passed) {
  std::vector<std::string> classes = list(split_folder, [&](const fs::directory_entry& entry) {
    const bool folder = entry.is_directory();
    passed.beside += folder ? 0 : 1;
    return folder;
  });
  require_file(!classes.empty(), split_folder.string(),
               "no class folders found, one folder of images per class was expected");
  return classes;
}

std::vector<std::string> list_images(const fs::path& class_folder, PassedOver& passed) {
  std::vector<std::string> files = list(class_folder, [&](const fs::directory_entry& entry) {
    const bool image = has_image_extension(entry.path());
    if (image && entry.is_regular_file()) return true;
    if (entry.is_directory()) {
      ++passed.folders;
      passed.in_folders += images_below(entry.path());
    } else if (entry.is_symlink() && !entry.exists()) {
      ++passed.broken_links;
    } else {
      ++passed.others[lower_extension(entry.path())];
    }
    return false;
  });
  if (!files.empty()) return files;
  const std::string found = passed.to_string();
  throw FileError(fmt::format("{}: no images found ({}) in this class folder{}",
                              class_folder.string(), fmt::join(image_extensions(), ", "),
                              found.empty() ? "" : "; passed over so far: " + found));
}

/// test/, or what serves as that.
fs::path folder_of(const fs::path& folder, Split split) {
  if (split == Split::train) return folder / "train";
  for (const char* name : kTestFolders) {
    if (is_folder(folder / name)) return folder / name;
  }
  return folder / kTestFolders[0];
}

void check_same_classes(const fs::path& train_folder, const fs::path& test_folder) {
  PassedOver ignored;
  const std::vector<std::string> train = list_classes(train_folder, ignored);
  const std::vector<std::string> test = list_classes(test_folder, ignored);
  std::vector<std::string> differing;
  std::set_symmetric_difference(train.begin(), train.end(), test.begin(), test.end(),
                                std::back_inserter(differing));
  if (differing.empty()) return;
  const bool in_train = std::binary_search(train.begin(), train.end(), differing.front());
  const std::string test_name = test_folder.filename().string();
  throw FileError(
      fmt::format("{}: train has {} classes, {} {}, and they must be the same: '{}' is only in {}",
                  train_folder.parent_path().string(), train.size(), test_name, test.size(),
                  differing.front(), in_train ? "train" : test_name));
}

}  // namespace

bool has_image_extension(const std::string& path) {
  const std::string extension = lower_extension(path);
  return std::ranges::count(image_extensions(), extension) > 0;
}

bool is_image_folder(const std::string& folder) {
  return is_folder(folder_of(folder, Split::train)) || is_folder(folder_of(folder, Split::test));
}

Dataset read_image_folder(const std::string& folder, Split split, const ReadOptions& options) {
  const fs::path split_folder = folder_of(folder, split);
  const fs::path other = folder_of(folder, split == Split::train ? Split::test : Split::train);
  require_file(is_folder(split_folder), folder, "has no {}/ folder{}", to_string(split),
               split == Split::test ? " (nor val/, valid/ or validation/)" : "");
  if (is_folder(other))
    check_same_classes(folder_of(folder, Split::train), folder_of(folder, Split::test));
  const std::string name = split_folder.filename().string();
  if (name != to_string(split)) {
    options.say(
        fmt::format("{}: there is no {}/, {}/ serves as that", folder, to_string(split), name));
  }

  PassedOver passed;
  const std::vector<std::string> classes = list_classes(split_folder, passed);
  Dataset dataset;
  dataset.source = fmt::format("{} (image folder, {})", folder, name);
  std::vector<std::string> paths;
  for (size_t label = 0; label < classes.size(); ++label) {
    dataset.classes.push_back(as_utf8(classes[label]));
    const fs::path class_folder = split_folder / classes[label];
    for (const std::string& file : list_images(class_folder, passed)) {
      paths.push_back((class_folder / file).string());
    }
    dataset.labels.resize(paths.size(), static_cast<int>(label));
  }
  const std::string left = passed.to_string();
  if (!left.empty()) {
    options.say(fmt::format("warning: {}: passed over {}", split_folder.string(), left));
  }
  if (options.limit > 0 && options.limit < std::ssize(paths)) {
    // Now, not when all are decoded.
    const std::vector<bool> chosen =
        select_in_proportion(dataset.labels, classes.size(), options.limit, options.seed);
    std::vector<int> labels;
    std::vector<std::string> part;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (!chosen[i]) continue;
      labels.push_back(dataset.labels[i]);
      part.push_back(paths[i]);
    }
    dataset.labels = labels;
    paths = part;
  }
  read_images(paths, options, dataset);
  return dataset;
}

}  // namespace edgeprune
