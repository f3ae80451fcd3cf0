#include "models/pth/storage.h"

#include <array>
#include <limits>

#include "engine/base/printable.h"

namespace edgeprune {
namespace {

// Sizes are needed for types we cannot import too: in a legacy file they tell where the next
// storage starts.
constexpr std::array kStorageTypes = {
    StorageType{"torch.FloatStorage", 4, DType::f32},
    StorageType{"torch.LongStorage", 8, DType::i64},
    StorageType{"torch.ByteStorage", 1, DType::u8},
    StorageType{"torch.DoubleStorage", 8, DType::f64},
    StorageType{"torch.HalfStorage", 2, DType::f16},
    StorageType{"torch.BFloat16Storage", 2, DType::bf16},
    StorageType{"torch.IntStorage", 4, DType::i32},
    StorageType{"torch.ShortStorage", 2, DType::i16},
    StorageType{"torch.CharStorage", 1, DType::i8},
    StorageType{"torch.BoolStorage", 1, DType::boolean},
    StorageType{"torch.storage.UntypedStorage", 1, {}},
    StorageType{"torch.ComplexFloatStorage", 8, {}},
    StorageType{"torch.ComplexDoubleStorage", 16, {}},
    StorageType{"torch.QInt8Storage", 1, {}},
    StorageType{"torch.QUInt8Storage", 1, {}},
    StorageType{"torch.QInt32Storage", 4, {}},
};

/// torch's are numbers of a few digits. A longer one, shared by many storages, would be copied and
/// compared for each.
constexpr size_t kLongestKey = 256;

const StorageType& storage_type(const std::string& global, const std::string& path) {
  for (const StorageType& type : kStorageTypes) {
    if (type.global == global) return type;
  }
  throw FileError(fmt::format("{}: storage type {} is unknown", path, printable(global)));
}

}  // namespace

StorageRef parse_storage(const pickle::PersistentId& id, const std::string& path) {
  const auto* fields = pickle::as<pickle::Tuple>(id.id);
  const auto* what = fields == nullptr || fields->items.empty()
                         ? nullptr
                         : pickle::as<std::string>(fields->items[0]);
  require_file(fields != nullptr && fields->items.size() >= 5, path,
               "bad pickle: persistent id is not a storage");
  const auto* type = pickle::as<pickle::Global>(fields->items[1]);
  const auto* key = pickle::as<std::string>(fields->items[2]);
  const auto* count = pickle::as<int64_t>(fields->items[4]);
  require_file(what != nullptr && *what == "storage" && type != nullptr && key != nullptr &&
                   count != nullptr && *count >= 0,
               path, "bad pickle: persistent id is not a storage");
  require_file(key->size() <= kLongestKey, path, "bad pickle: a storage's key of {} bytes",
               key->size());
  // A sixth field made a storage a view of another one; torch has not written any since 0.4.
  require_file(fields->items.size() == 5 ||
                   (fields->items.size() == 6 && pickle::as<pickle::None>(fields->items[5])),
               path, "storage '{}' is a view of another one, which is not supported",
               printable(*key));
  const StorageType& known = storage_type(type->name, path);
  const auto limit = std::numeric_limits<int64_t>::max() / static_cast<int64_t>(known.element_size);
  require_file(*count <= limit, path, "storage '{}' claims {} elements", printable(*key), *count);
  return {&known, *key, static_cast<uint64_t>(*count)};
}

std::map<std::string, StorageRef> storages_of(const pickle::Pickle& pickle,
                                              const std::string& path) {
  std::map<std::string, StorageRef> storages;
  for (const pickle::PersistentId* id : pickle.persistent_ids) {
    const StorageRef storage = parse_storage(*id, path);
    const StorageRef& first = storages.emplace(storage.key, storage).first->second;
    require_file(first.type == storage.type && first.count == storage.count, path,
                 "storage '{}' is described in two ways", printable(storage.key));
  }
  return storages;
}

}  // namespace edgeprune
