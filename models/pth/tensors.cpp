#include "models/pth/tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "engine/base/check.h"
#include "engine/base/printable.h"

namespace edgeprune {
namespace {

// All but the first are calls (tensor, ...) or (function, type, arguments, ...) around one of those that
// make a dense tensor: (storage, storage offset, size, stride, ...).
constexpr std::string_view kTensorMakers[] = {"torch._utils._rebuild_tensor_v2",
                                              "torch._utils._rebuild_tensor_v3",
                                              "torch._utils._rebuild_tensor",
                                              "torch._utils._rebuild_parameter",
                                              "torch._utils._rebuild_parameter_with_state",
                                              "torch._tensor._rebuild_from_type_v2",
                                              "torch._utils._rebuild_qtensor",
                                              "torch._utils._rebuild_sparse_tensor",
                                              "torch._utils._rebuild_meta_tensor_no_storage"};

struct TensorType {
  std::string_view global;
  DType dtype;
};
/// Those that have no storage class of their own, and follow behind the hooks in _rebuild_tensor_v3.
constexpr TensorType kTensorTypes[] = {
    {"torch.uint16", DType::u16},          {"torch.uint32", DType::u32},
    {"torch.uint64", DType::u64},          {"torch.float8_e4m3fn", DType::f8_e4m3},
    {"torch.float8_e5m2", DType::f8_e5m2},
};

/// Tensors that share a storage, or repeat it by a stride of 0, take more memory than the file
/// does; up to this often.
constexpr uint64_t kMaxExpansion = 16;

bool is_row_major(std::span<const int64_t> sizes, std::span<const int64_t> strides) {
  int64_t stride = 1;
  for (size_t axis = sizes.size(); axis-- > 0;) {
    if (sizes[axis] != 1 && strides[axis] != stride) return false;
    stride *= sizes[axis];
  }
  return true;
}

/// Strided elements to row-major ones; returns the end of what it wrote.
std::byte* copy_strided(const std::byte* from, std::byte* to, std::span<const int64_t> sizes,
                        std::span<const int64_t> strides, size_t element) {
  if (sizes.empty()) return std::copy_n(from, element, to);
  const auto size = static_cast<size_t>(sizes[0]);
  if (sizes.size() == 1 && strides[0] == 1) return std::copy_n(from, size * element, to);
  for (size_t i = 0; i < size; ++i) {
    to = copy_strided(from + i * static_cast<size_t>(strides[0]) * element, to, sizes.subspan(1),
                      strides.subspan(1), element);
  }
  return to;
}

/// Elements of storage up to the tensor's last, or nothing if that is beyond uint64.
std::optional<uint64_t> reach(uint64_t offset, std::span<const int64_t> sizes,
                              std::span<const int64_t> strides) {
  uint64_t last = offset;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    uint64_t step = 0;
    if (__builtin_mul_overflow(static_cast<uint64_t>(sizes[axis] - 1),
                               static_cast<uint64_t>(strides[axis]), &step) ||
        __builtin_add_overflow(last, step, &last)) {
      return std::nullopt;
    }
  }
  return last + 1;
}

/// A tensor's function, and what it is called with.
struct Making {
  const pickle::Global* function = nullptr;
  const pickle::Tuple* arguments = nullptr;

  bool is(std::string_view name, size_t least_arguments) const {
    return function != nullptr && function->name == name &&
           arguments->items.size() >= least_arguments;
  }
};

Making making_of(pickle::Ref value) {
  const auto* call = pickle::as<pickle::Call>(value);
  // What torch would change after the call is not known.
  if (call == nullptr || call->state != nullptr) return {};
  return {call->function, call->arguments};
}

/// Without what is put around the call that makes the tensor itself.
Making unwrapped(pickle::Ref value) {
  Making making = making_of(value);
  if (making.is("torch._utils._rebuild_parameter", 3) ||
      making.is("torch._utils._rebuild_parameter_with_state", 3)) {
    making = making_of(making.arguments->items[0]);
  }
  if (making.is("torch._tensor._rebuild_from_type_v2", 3)) {
    const auto* function = pickle::as<pickle::Global>(making.arguments->items[0]);
    const auto* arguments = pickle::as<pickle::Tuple>(making.arguments->items[2]);
    if (function != nullptr && arguments != nullptr) return {function, arguments};
  }
  return making;
}

std::optional<DType> dtype_of(pickle::Ref value) {
  const auto* global = pickle::as<pickle::Global>(value);
  for (const TensorType& type : kTensorTypes) {
    if (global != nullptr && global->name == type.global) return type.dtype;
  }
  return {};
}

}  // namespace

bool makes_tensor(pickle::Ref value) {
  const auto* call = pickle::as<pickle::Call>(value);
  return call != nullptr && std::ranges::count(kTensorMakers, call->function->name) > 0;
}

TensorReader::TensorReader(const PthContents& contents, size_t file_size, const std::string& path)
    : contents_(contents), path_(path), budget_(kMaxExpansion * file_size) {}

std::map<std::string, Array> TensorReader::read(const std::map<std::string, pickle::Ref>& values) {
  std::map<std::string, Description> tensors;
  for (const auto& [name, value] : values) {
    const Description& tensor =
        tensors.emplace(name, describe(value, printable(name))).first->second;
    ++storage_of(tensor.storage).uses;
  }
  std::map<std::string, Array> arrays;
  for (const auto& [name, tensor] : tensors) arrays.emplace(name, take(tensor, printable(name)));
  return arrays;
}

TensorReader::Description TensorReader::describe(pickle::Ref value, const std::string& name) const {
  const Making making = unwrapped(value);
  const bool typed = making.is("torch._utils._rebuild_tensor_v3", 7);
  if (!typed && !making.is("torch._utils._rebuild_tensor_v2", 6) &&
      !making.is("torch._utils._rebuild_tensor", 4)) {
    const auto* call = pickle::as<pickle::Call>(value);
    const auto* maker = making.function != nullptr ? making.function
                        : call != nullptr          ? call->function
                                                   : nullptr;
    require_file(false, path_, "entry '{}' is not a tensor{}", name,
                 maker == nullptr
                     ? ""
                     : fmt::format(" but made by {}, which is not run", printable(maker->name)));
  }
  const auto& arguments = making.arguments->items;
  const auto* id = pickle::as<pickle::PersistentId>(arguments[0]);
  const auto* offset = pickle::as<int64_t>(arguments[1]);
  require_file(id != nullptr && offset != nullptr && *offset >= 0, path_,
               "tensor '{}' has no storage or a negative offset", name);
  std::vector<int64_t> sizes = integers(arguments[2], name), strides = integers(arguments[3], name);
  require_file(sizes.size() == strides.size(), path_, "tensor '{}' has {} sizes and {} strides",
               name, sizes.size(), strides.size());
  const StorageRef storage = parse_storage(*id, path_);
  const std::optional<DType> dtype = typed ? dtype_of(arguments[6]) : storage.type->dtype;
  require_file(dtype.has_value(), path_, "tensor '{}' is a {}, expected {}", name,
               typed ? "tensor of another type" : storage.type->global, listed(names_of(kDTypes)));
  return {storage, *dtype, static_cast<uint64_t>(*offset), std::move(sizes), std::move(strides)};
}

std::vector<int64_t> TensorReader::integers(pickle::Ref value, const std::string& name) const {
  const auto* tuple = pickle::as<pickle::Tuple>(value);
  require_file(tuple != nullptr, path_, "tensor '{}' has no sizes or strides", name);
  // Before anything is copied: many tensors may share one tuple, and it may be long.
  require_file(tuple->items.size() <= Shape::kMaxRank, path_,
               "tensor '{}' has {} sizes or strides, at most {} expected", name,
               tuple->items.size(), Shape::kMaxRank);
  std::vector<int64_t> numbers;
  for (const pickle::Ref item : tuple->items) {
    const auto* number = pickle::as<int64_t>(item);
    require_file(number != nullptr && *number >= 0, path_,
                 "tensor '{}' has a size or stride that is not a natural number", name);
    numbers.push_back(*number);
  }
  return numbers;
}

TensorReader::Storage& TensorReader::storage_of(const StorageRef& ref) {
  Storage& storage = storages_.try_emplace(ref.key, Storage{ref, 0, {}}).first->second;
  require_file(storage.ref.type == ref.type && storage.ref.count == ref.count, path_,
               "storage '{}' is described in two ways", printable(ref.key));
  return storage;
}

Array TensorReader::take(const Description& tensor, const std::string& name) {
  const auto& [ref, dtype, offset, sizes, strides] = tensor;
  Array array{dtype, shape_of(sizes, name), {}};
  const size_t element = size_of(dtype);
  const auto count = static_cast<uint64_t>(array.shape.count());
  Storage& storage = storage_of(ref);
  if (!storage.bytes.has_value()) storage.bytes = contents_.read(ref);
  std::vector<std::byte>& bytes = *storage.bytes;
  const bool last = --storage.uses == 0;
  if (count == 0) return array;
  const auto end = reach(offset, sizes, strides);
  require_file(end.has_value() && *end <= bytes.size() / element, path_,
               "tensor '{}' {} with strides [{}] from element {} leaves its storage of {}", name,
               array.shape.to_string(), fmt::join(strides, ","), offset, bytes.size() / element);
  require_file(count <= budget_ / element, path_,
               "tensors are more than {} times as large as the file, at '{}'", kMaxExpansion, name);
  budget_ -= count * element;
  const bool row_major = is_row_major(sizes, strides);
  if (last && row_major && count * element == bytes.size()) {  // the usual case: nothing is copied
    array.bytes = std::move(bytes);
  } else {
    array.bytes.resize(count * element);
    const std::byte* from = bytes.data() + offset * element;
    if (row_major) {
      std::copy_n(from, count * element, array.bytes.data());
    } else {
      copy_strided(from, array.bytes.data(), sizes, strides, element);
    }
  }
  if (last) storages_.erase(ref.key);
  return array;
}

Shape TensorReader::shape_of(const std::vector<int64_t>& sizes, const std::string& name) const {
  try {
    return Shape(sizes);
  } catch (const std::invalid_argument& error) {
    throw FileError(fmt::format("{}: tensor '{}': {}", path_, name, error.what()));
  }
}

}  // namespace edgeprune
