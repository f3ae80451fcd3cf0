#include "models/pth/pth_reader.h"

#include <filesystem>
#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/pth/state_dict.h"
#include "models/pth/tensors.h"

namespace edgeprune {

bool is_pth(const std::string& path) {
  const std::string start = start_of_file(path, 32);
  const auto bytes = std::as_bytes(std::span(start));
  return is_zip_container(bytes) || is_legacy_container(bytes);
}

Archive read_pth(const std::string& path, const std::string& key) {
  const std::string start = start_of_file(path, 32);
  // A zip archive's entries are read from the file, where they are asked for.
  const bool zip = is_zip_container(std::as_bytes(std::span(start)));
  const std::vector<char> content = zip ? std::vector<char>{} : read_file(path);
  const auto bytes = std::as_bytes(std::span(content));
  require_file(zip || is_legacy_container(bytes), path,
               "is not a PyTorch checkpoint (or is truncated)");
  const PthContents contents = zip ? read_zip_container(path) : read_legacy_container(bytes, path);
  const StateDict found = find_state_dict(contents.object, path, key);
  return {TensorReader(contents, std::filesystem::file_size(path), path).read(found.entries),
          {},
          found.notes};
}

}  // namespace edgeprune
