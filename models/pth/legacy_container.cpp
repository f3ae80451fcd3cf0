#include <algorithm>
#include <array>

#include "engine/base/printable.h"
#include "models/pth/container.h"
#include "models/pth/pickle_opcodes.h"

namespace edgeprune {
namespace {

/// 0x1950a86a20f9469cfc6c as a pickle has it, a number too long for any of our integers.
constexpr std::array<uint8_t, 13> kMagic = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                            0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr size_t kProtocolBytes = 2, kFrameBytes = 9;  // in front of it; a frame since protocol 4

void check_protocol_version(const pickle::Pickle& version, const std::string& path) {
  const auto* number = pickle::as<int64_t>(version.root);
  require_file(number != nullptr && *number == 1001, path, "legacy protocol version is not 1001");
}

void check_byte_order(const pickle::Pickle& system, const std::string& path) {
  const auto* entries = pickle::as<pickle::Dict>(system.root);
  require_file(entries != nullptr, path, "legacy container does not describe its system");
  for (const auto& [key, value] : entries->items) {
    const auto* name = pickle::as<std::string>(key);
    if (name == nullptr || *name != "little_endian") continue;
    const auto* little = pickle::as<bool>(value);
    require_file(little != nullptr && *little, path, "written big-endian, which is not supported");
  }
}

}  // namespace

bool is_legacy_container(std::span<const std::byte> file) {
  const auto magic_at = [&](size_t begin) {
    return file.size() >= begin + kMagic.size() &&
           std::equal(kMagic.begin(), kMagic.end(), file.begin() + std::ptrdiff_t(begin),
                      [](uint8_t a, std::byte b) { return std::byte{a} == b; });
  };
  return !file.empty() && file[0] == std::byte(pickle::Opcode::proto) &&
         (magic_at(kProtocolBytes) || magic_at(kProtocolBytes + kFrameBytes));
}

PthContents read_legacy_container(std::span<const std::byte> file, const std::string& path) {
  ByteCursor bytes(file, path);
  pickle::unpickle(bytes);  // the magic number
  check_protocol_version(pickle::unpickle(bytes), path);
  check_byte_order(pickle::unpickle(bytes), path);
  pickle::Pickle object = pickle::unpickle(bytes);
  const auto storages = storages_of(object, path);
  std::map<std::string, std::span<const std::byte>> data;

  const pickle::Pickle key_list = pickle::unpickle(bytes);
  const auto* keys = pickle::as<pickle::List>(key_list.root);
  require_file(keys != nullptr, path, "legacy container has no list of storages");
  for (const pickle::Ref item : keys->items) {
    const auto* key = pickle::as<std::string>(item);
    require_file(key != nullptr, path, "legacy container's list of storages holds a non-string");
    const auto found = storages.find(*key);
    require_file(found != storages.end(), path, "storage '{}' belongs to no tensor",
                 printable(*key));
    const StorageRef& storage = found->second;
    const auto count = bytes.little_endian<uint64_t>();
    require_file(count == storage.count, path, "storage '{}' has {} elements, expected {}",
                 printable(*key), count, storage.count);
    const bool fresh = data.emplace(*key, bytes.take(storage.bytes())).second;
    require_file(fresh, path, "storage '{}' is listed twice", printable(*key));
  }
  for (const auto& [key, storage] : storages) {
    require_file(data.contains(key), path, "storage '{}' is missing", printable(key));
  }
  return {std::move(object), [data](const StorageRef& storage) {
            const auto bytes_of_it = data.at(storage.key);
            return std::vector(bytes_of_it.begin(), bytes_of_it.end());
          }};
}

}  // namespace edgeprune
