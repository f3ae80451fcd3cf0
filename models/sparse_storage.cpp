#include "models/sparse_storage.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/json.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

constexpr const char *kShapes = "sparse", *kMask = ".mask", *kValues = ".values";

size_t mask_bytes(size_t count) {
  return (count + 7) / 8;
}

size_t count_of(const Array& array) {
  return static_cast<size_t>(array.shape.count());
}

/// Not by comparison with 0: that would lose the sign of a negative zero.
bool is_zero(const std::byte* value, size_t bytes) {
  return std::all_of(value, value + bytes, [](std::byte b) { return b == std::byte{0}; });
}

bool can_be_sparse(DType dtype) {
  return dtype == DType::f32 || dtype == DType::i8;
}

struct SparseArray {
  Array mask, values;
};

SparseArray split(const Array& dense) {
  const size_t count = count_of(dense), bytes = size_of(dense.dtype);
  SparseArray sparse{{DType::u8, Shape{static_cast<int64_t>(mask_bytes(count))}, {}},
                     {dense.dtype, Shape{0}, {}}};
  sparse.mask.bytes.assign(mask_bytes(count), std::byte{0});
  for (size_t i = 0; i < count; ++i) {
    const std::byte* value = dense.bytes.data() + i * bytes;
    if (is_zero(value, bytes)) continue;
    sparse.mask.bytes[i / 8] |= std::byte{1} << (i % 8);
    sparse.values.bytes.insert(sparse.values.bytes.end(), value, value + bytes);
  }
  sparse.values.shape = Shape{static_cast<int64_t>(sparse.values.bytes.size() / bytes)};
  return sparse;
}

Array join(const std::string& name, const Shape& shape, const Array& mask, const Array& values) {
  Array dense{values.dtype, shape, {}};
  const size_t count = count_of(dense), bytes = size_of(values.dtype);
  require(mask.dtype == DType::u8 && mask.bytes.size() == mask_bytes(count), "sparse storage",
          "{}: expected a mask of {} bytes for {}, got {} of {}", printable(name),
          mask_bytes(count), shape.to_string(), to_string(mask.dtype), mask.bytes.size());
  size_t present = 0;
  for (const std::byte byte : mask.bytes) {
    present += static_cast<size_t>(std::popcount(std::to_integer<unsigned>(byte)));
  }
  require(can_be_sparse(values.dtype) && values.bytes.size() == present * bytes, "sparse storage",
          "{}: its mask has {} values, the file {}", printable(name), present, count_of(values));
  dense.bytes.assign(count * bytes, std::byte{0});
  const std::byte* next = values.bytes.data();
  const std::string shown = printable(name);
  for (size_t i = 0; i < 8 * mask.bytes.size(); ++i) {
    if (std::to_integer<int>(mask.bytes[i / 8] >> (i % 8) & std::byte{1}) == 0) continue;
    require(i < count, "sparse storage", "{}: its mask has bits behind its {} values", shown,
            count);
    std::memcpy(dense.bytes.data() + i * bytes, next, bytes);
    next += bytes;
  }
  return dense;
}

Array take(Archive& archive, const std::string& name) {
  Array array = archive.at(name);
  archive.arrays.erase(name);
  return array;
}

}  // namespace

Archive store_sparse(Archive archive, const std::vector<std::string>& names) {
  nlohmann::json shapes = nlohmann::json::object();
  for (const std::string& name : names) {
    const Array& dense = archive.at(name);
    require(can_be_sparse(dense.dtype), "sparse storage", "{} is {}, expected F32 or I8", name,
            to_string(dense.dtype));
    SparseArray sparse = split(dense);
    if (sparse.mask.bytes.size() + sparse.values.bytes.size() >= dense.bytes.size()) continue;
    shapes[name] = dense.shape.dims();
    archive.arrays.erase(name);
    archive.arrays[name + kMask] = std::move(sparse.mask);
    archive.arrays[name + kValues] = std::move(sparse.values);
  }
  if (!shapes.empty()) archive.metadata[kShapes] = shapes.dump();
  return archive;
}

Archive restore_dense(Archive archive) {
  const auto found = archive.metadata.find(kShapes);
  if (found == archive.metadata.end()) return archive;
  std::map<std::string, std::vector<int64_t>> shapes;
  try {
    parse_json(found->second, "no shapes").get_to(shapes);
  } catch (const std::exception& error) {
    require(false, "sparse storage", "metadata '{}': {}", kShapes, error.what());
  }
  archive.metadata.erase(found);
  for (const auto& [name, dims] : shapes) {
    const Array mask = take(archive, name + kMask), values = take(archive, name + kValues);
    const bool added = archive.arrays.emplace(name, join(name, Shape(dims), mask, values)).second;
    require(added, "sparse storage", "{} is there dense and sparse", printable(name));
  }
  return archive;
}

}  // namespace edgeprune
