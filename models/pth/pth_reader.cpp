#include "models/pth/pth_reader.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/pth/state_dict.h"
#include "models/pth/tensors.h"

namespace edgeprune {

bool is_pth(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;  // a pipe would be waited for
  std::ifstream file(path, std::ios::binary);
  std::array<char, 32> start{};
  file.read(start.data(), start.size());
  const auto bytes = std::as_bytes(std::span(start)).first(static_cast<size_t>(file.gcount()));
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
