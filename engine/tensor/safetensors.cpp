#include "engine/tensor/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <tuple>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

using nlohmann::json;

constexpr char kMetadata[] = "__metadata__";
constexpr size_t kLengthBytes = sizeof(uint64_t);

/// Where a tensor lies among the data bytes.
struct Extent {
  uint64_t begin;
  uint64_t end;
  std::string name;
};

json parse_header(std::span<const char> text, const std::string& path) {
  // The header nests three deep: the object, a tensor, its shape.
  json header = parse_json({text.data(), text.size()}, path + ": safetensors header", {.depth = 4});
  require_file(header.is_object(), path, "safetensors header is not a JSON object");
  return header;
}

std::vector<int64_t> integers(const json& entry, const char* key, const std::string& name,
                              const std::string& path) {
  const auto found = entry.find(key);
  require_file(found != entry.end() && found->is_array(), path, "tensor '{}' has no list '{}'",
               printable(name), key);
  std::vector<int64_t> values;
  for (const json& value : *found) {
    require_file(value.is_number_unsigned() &&
                     value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()},
                 path, "tensor '{}' has {} in '{}', expected a non-negative integer",
                 printable(name), printable(value.dump()), key);
    values.push_back(value.get<int64_t>());
  }
  return values;
}

DType dtype_of(const json& entry, const std::string& name, const std::string& path) {
  const json dtype = entry.value("dtype", json());
  for (const Named<DType>& known : kDTypes) {
    if (dtype == known.name) return known.value;
  }
  throw FileError(fmt::format("{}: tensor '{}' has dtype {}, expected {}", path, printable(name),
                              printable(dtype.dump()), listed(names_of(kDTypes))));
}

Shape shape_of(const json& entry, const std::string& name, const std::string& path) {
  try {
    return Shape(integers(entry, "shape", name, path));
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: tensor '{}': {}", path, printable(name), error.what()));
  }
}

Array read_array(const json& entry, const std::string& name, std::span<const char> data,
                 const std::string& path, std::vector<Extent>& extents) {
  require_file(entry.is_object(), path, "tensor '{}' is not described by a JSON object",
               printable(name));
  Array array{dtype_of(entry, name, path), shape_of(entry, name, path), {}};
  const std::vector<int64_t> offsets = integers(entry, "data_offsets", name, path);
  require_file(offsets.size() == 2, path, "tensor '{}' has {} data offsets, expected 2",
               printable(name), offsets.size());
  const auto begin = static_cast<uint64_t>(offsets[0]), end = static_cast<uint64_t>(offsets[1]);
  require_file(begin <= end && end <= data.size(), path,
               "tensor '{}' lies at bytes {} to {} of {}: the file is truncated or foreign",
               printable(name), begin, end, data.size());
  const uint64_t bytes = end - begin, element = size_of(array.dtype);
  require_file(
      bytes % element == 0 && bytes / element == static_cast<uint64_t>(array.shape.count()), path,
      "tensor '{}' is {} {} but has {} bytes", printable(name), to_string(array.dtype),
      array.shape.to_string(), bytes);
  const auto stored = std::as_bytes(data.subspan(begin, bytes));
  array.bytes.assign(stored.begin(), stored.end());
  extents.push_back({begin, end, name});
  return array;
}

/// The tensors must tile the data: hidden bytes, or two tensors in one place, mean a file that was
/// tampered with.
void require_tiling(std::vector<Extent> extents, size_t data_bytes, const std::string& path) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (const Extent& extent : extents) {
    require_file(extent.begin == covered, path,
                 "tensor '{}' starts at byte {}, expected {}: tensors overlap or leave a gap",
                 printable(extent.name), extent.begin, covered);
    covered = extent.end;
  }
  require_file(covered == data_bytes, path, "tensors end at byte {} of {}", covered, data_bytes);
}

/// Order of the bytes in a written file.
std::vector<const std::pair<const std::string, Array>*> widest_first(const Archive& archive) {
  std::vector<const std::pair<const std::string, Array>*> order;
  for (const auto& named : archive.arrays) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype) > size_of(b->second.dtype);
  });
  return order;
}

std::string make_header(const Archive& archive) {
  json header = json::object();
  if (!archive.metadata.empty()) header[kMetadata] = archive.metadata;
  uint64_t offset = 0;
  for (const auto* named : widest_first(archive)) {
    const auto& [name, array] = *named;
    require(name != kMetadata, "write_safetensors", "'{}' cannot be a tensor's name", name);
    require(array.bytes.size() == static_cast<size_t>(array.shape.count()) * size_of(array.dtype),
            "write_safetensors", "tensor '{}' is {} {} but has {} bytes", name,
            to_string(array.dtype), array.shape.to_string(), array.bytes.size());
    const uint64_t end = offset + array.bytes.size();
    header[name] = {{"dtype", to_string(array.dtype)},
                    {"shape", array.shape.dims()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
    return text;
  } catch (const json::exception& error) {
    throw std::invalid_argument(fmt::format("[write_safetensors] {}", error.what()));
  }
}

}  // namespace

bool is_safetensors(const std::string& path) {
  // Header lengths are far below 2^32, so that the upper half of the first eight bytes is zero.
  const std::string start = start_of_file(path, kLengthBytes + 1);
  return start.size() > kLengthBytes && start.substr(4, 4) == std::string(4, '\0') &&
         start.back() == '{';
}

Archive read_safetensors(const std::string& path) {
  const std::vector<char> content = read_file(path);
  const std::span<const char> bytes(content);
  require_file(bytes.size() >= kLengthBytes, path, "{} bytes are too few for safetensors",
               bytes.size());
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  require_file(length <= bytes.size() - kLengthBytes, path,
               "safetensors header of {} bytes in a file of {}: truncated or foreign", length,
               bytes.size());
  const json header = parse_header(bytes.subspan(kLengthBytes, length), path);
  const std::span<const char> data = bytes.subspan(kLengthBytes + length);

  Archive archive;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) {
      archive.arrays.emplace(name, read_array(entry, name, data, path, extents));
      continue;
    }
    require_file(entry.is_object(), path, "'{}' is not a JSON object", kMetadata);
    for (const auto& [key, value] : entry.items()) {
      require_file(value.is_string(), path, "metadata '{}' is {}, expected a string",
                   printable(key), value.type_name());
      archive.metadata.emplace(key, value.get<std::string>());
    }
  }
  require_tiling(std::move(extents), data.size(), path);
  return archive;
}

void write_safetensors(const std::string& path, const Archive& archive) {
  const std::string header = make_header(archive);
  const uint64_t length = header.size();
  write_file_atomically(path, [&](const ByteSink& sink) {
    sink(&length, kLengthBytes);
    sink(header.data(), header.size());
    for (const auto* named : widest_first(archive)) {
      sink(named->second.bytes.data(), named->second.bytes.size());
    }
  });
}

int64_t safetensors_bytes(const Archive& archive) {
  size_t bytes = kLengthBytes + make_header(archive).size();
  for (const auto& [name, array] : archive.arrays) bytes += array.bytes.size();
  return static_cast<int64_t>(bytes);
}

}  // namespace edgeprune
