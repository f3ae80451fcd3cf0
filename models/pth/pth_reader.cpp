#include "models/pth/pth_reader.h"

#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/pth/state_dict.h"
#include "models/pth/tensors.h"

namespace edgeprune {

bool is_pth(const std::string& path) {
  const std::string start = start_of_file(path, 32);
  const auto bytes = std::as_bytes(std::span(start));
  return is_zip_container(bytes) || is_legacy_container(bytes);
}

Archive read_pth(const std::string& path, const std::string& key) {
  const std::vector<char> content = read_file(path);
  const auto bytes = std::as_bytes(std::span(content));
  const bool zip = is_zip_container(bytes);
  require_file(zip || is_legacy_container(bytes), path,
               "is not a PyTorch checkpoint (or is truncated)");
  const PthContents contents =
      zip ? read_zip_container(bytes, path) : read_legacy_container(bytes, path);
  const StateDict found = find_state_dict(contents.object, path, key);
  Archive archive;
  archive.notes = found.notes;
  TensorReader tensors(contents, bytes.size(), path);
  for (const auto& [name, value] : found.entries) {
    archive.arrays.emplace(name, tensors.read(value, printable(name)));
  }
  return archive;
}

}  // namespace edgeprune
