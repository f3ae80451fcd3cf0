#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/tensor/archive.h"
#include "models/pth/pickle.h"

namespace edgeprune {

/// A type of element that torch keeps in storages.
struct StorageType {
  std::string_view global;     ///< "torch.FloatStorage"
  size_t element_size;         ///< bytes
  std::optional<DType> dtype;  ///< none if an Archive cannot hold it
};

/// What a pickle says of a storage: ('storage', type, key, device, element count).
struct StorageRef {
  const StorageType* type;
  std::string key;
  uint64_t count;

  uint64_t bytes() const { return count * type->element_size; }
};

/// Throws FileError unless `id` is such a tuple and its size in bytes fits into int64.
StorageRef parse_storage(const pickle::PersistentId& id, const std::string& path);

/// All storages of a pickle by key. Throws FileError if two of one key differ.
std::map<std::string, StorageRef> storages_of(const pickle::Pickle& pickle,
                                              const std::string& path);

}  // namespace edgeprune
