#pragma once
// Pickles and checkpoints written by hand, byte by byte, so that tests can also write what
// torch.save never would.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace edgeprune::testing {

using namespace std::string_literals;
using Strings = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Every function below returns the opcodes that push one value.

inline std::string integer(int64_t value) {
  return value == static_cast<int32_t>(value) ? "J" + raw(static_cast<int32_t>(value))
                                              : "\x8a\x08" + raw(value);
}

inline std::string text(const std::string& value) {
  return "X" + raw(static_cast<uint32_t>(value.size())) + value;
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string tuple(const Strings& items) {
  std::string code = "(";
  for (const std::string& item : items) code += item;
  return code + "t";
}

inline std::string integers(const std::vector<int64_t>& values) {
  Strings items;
  for (const int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}

inline std::string list(const Strings& items) {
  std::string code = "](";
  for (const std::string& item : items) code += item;
  return code + "e";
}

inline std::string set_items(const Pairs& items) {
  std::string code = "(";
  for (const auto& [key, value] : items) code += text(key) + value;
  return code + "u";
}

inline std::string dict(const Pairs& items) {
  return "}" + set_items(items);
}

inline std::string ordered_dict(const Pairs& items) {
  return global("collections", "OrderedDict") + ")R" + set_items(items);
}

inline std::string storage(const std::string& type, const std::string& key, int64_t count,
                           const Strings& more_fields = {}) {
  Strings fields = {text("storage"), global("torch", type), text(key), text("cpu"), integer(count)};
  fields.insert(fields.end(), more_fields.begin(), more_fields.end());
  return tuple(fields) + "Q";
}

inline std::string tensor(const std::string& storage_code, int64_t offset,
                          const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage_code, integer(offset), integers(sizes), integers(strides), "\x89",
                ordered_dict({})}) +
         "R";
}

inline std::string parameter(const std::string& tensor_code) {
  return global("torch._utils", "_rebuild_parameter") +
         tuple({tensor_code, "\x88", ordered_dict({})}) + "R";
}

/// A whole pickle of one value.
inline std::string pickled(const std::string& code) {
  return "\x80\x02" + code + ".";
}

struct StoredBytes {
  std::string key;
  uint64_t count;  ///< elements
  std::string bytes;
};

inline std::string legacy_file(const std::string& object, const std::vector<StoredBytes>& storages,
                               bool little_endian = true, int version = 1001) {
  Strings keys;
  std::string data;
  for (const StoredBytes& stored : storages) {
    keys.push_back(text(stored.key));
    data += raw(stored.count) + stored.bytes;
  }
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + pickled(integer(version)) +
         pickled(dict({{"little_endian", little_endian ? "\x88" : "\x89"}})) + pickled(object) +
         pickled(list(keys)) + data;
}

inline uint32_t crc32(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

struct ZipEntry {
  std::string name;
  std::string bytes;
  uint16_t method = 0;        ///< 0 stored, 8 deflated
  int64_t claimed_size = -1;  ///< in place of the true one
  uint32_t crc_error = 0;     ///< added to the checksum
};

/// PKWARE's APPNOTE.TXT: local headers with data, central directory, its end record.
inline std::string zip_file(const std::vector<ZipEntry>& entries) {
  std::string file, directory;
  for (const ZipEntry& entry : entries) {
    const auto size = static_cast<uint32_t>(
        entry.claimed_size >= 0 ? entry.claimed_size : static_cast<int64_t>(entry.bytes.size()));
    const std::string shared = raw(uint16_t{20}) + raw(uint16_t{0}) + raw(entry.method) +
                               raw(uint32_t{0x00210000}) +
                               raw(crc32(entry.bytes) + entry.crc_error) + raw(size) + raw(size) +
                               raw(static_cast<uint16_t>(entry.name.size())) + raw(uint16_t{0});
    directory += "PK\x01\x02" + raw(uint16_t{20}) + shared + std::string(10, '\0') +
                 raw(static_cast<uint32_t>(file.size())) + entry.name;
    file += "PK\x03\x04" + shared + entry.name + entry.bytes;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return file + directory + "PK\x05\x06" + raw(uint32_t{0}) + raw(count) + raw(count) +
         raw(static_cast<uint32_t>(directory.size())) + raw(static_cast<uint32_t>(file.size())) +
         raw(uint16_t{0});
}

/// The entries torch.save writes, to be tampered with.
inline std::vector<ZipEntry> zip_entries(const std::string& object,
                                         const std::vector<StoredBytes>& storages) {
  std::vector<ZipEntry> entries = {{"any name/data.pkl", pickled(object)}};
  for (const StoredBytes& stored : storages) {
    entries.push_back({"any name/data/" + stored.key, stored.bytes});
  }
  entries.push_back({"any name/version", "3\n"});
  return entries;
}

/// Removes the old file first: ext4 flushes a file that was truncated and rewritten, milliseconds
/// each time.
inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace edgeprune::testing
