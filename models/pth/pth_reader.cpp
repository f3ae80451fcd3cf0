#include "models/pth/pth_reader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/pth/container.h"
#include "models/pth/state_dict.h"
#include "models/pth/storage.h"

namespace edgeprune {
namespace {

/// Tensors that share a storage, or repeat it by a stride of 0, take more memory than the file
/// does; up to this often.
constexpr uint64_t kMaxExpansion = 16;

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

/// Turns a checkpoint's objects into arrays.
class StateDictReader {
 public:
  StateDictReader(const PthContents& contents, size_t file_size, const std::string& path)
      : contents_(contents), path_(path), budget_(kMaxExpansion * file_size) {}

  Archive read() {
    const StateDict found = find_state_dict(contents_.object, path_);
    Archive archive;
    archive.notes = found.notes;
    for (const auto& [name, value] : found.entries) {
      archive.arrays.emplace(name, read_tensor(value, printable(name)));
    }
    return archive;
  }

 private:
  /// _rebuild_parameter(tensor, requires_grad, hooks) or
  /// _rebuild_tensor_v2(storage, storage offset, size, stride, requires_grad, hooks, [metadata])
  Array read_tensor(pickle::Ref value, const std::string& name) {
    if (const auto* parameter = call_of(value, "torch._utils._rebuild_parameter", 3)) {
      value = parameter->items[0];
    }
    const auto* arguments = call_of(value, "torch._utils._rebuild_tensor_v2", 6);
    if (arguments == nullptr) {
      const auto* call = pickle::as<pickle::Call>(value);
      require_file(false, path_, "entry '{}' is not a tensor{}", name,
                   call == nullptr ? ""
                                   : fmt::format(" but made by {}, which is not run",
                                                 printable(call->function->name)));
    }
    const auto* id = pickle::as<pickle::PersistentId>(arguments->items[0]);
    const auto* offset = pickle::as<int64_t>(arguments->items[1]);
    require_file(id != nullptr && offset != nullptr && *offset >= 0, path_,
                 "tensor '{}' has no storage or a negative offset", name);
    const std::vector<int64_t> sizes = integers(arguments->items[2], name);
    const std::vector<int64_t> strides = integers(arguments->items[3], name);
    require_file(sizes.size() == strides.size(), path_, "tensor '{}' has {} sizes and {} strides",
                 name, sizes.size(), strides.size());
    return copy_out(parse_storage(*id, path_), static_cast<uint64_t>(*offset), sizes, strides,
                    name);
  }

  static const pickle::Tuple* call_of(pickle::Ref value, std::string_view function,
                                      size_t least_arguments) {
    const auto* call = pickle::as<pickle::Call>(value);
    // What torch would change after the call is not known.
    const bool same = call != nullptr && call->state == nullptr &&
                      call->function->name == function &&
                      call->arguments->items.size() >= least_arguments;
    return same ? call->arguments : nullptr;
  }

  std::vector<int64_t> integers(pickle::Ref value, const std::string& name) const {
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

  Array copy_out(const StorageRef& storage, uint64_t offset, const std::vector<int64_t>& sizes,
                 const std::vector<int64_t>& strides, const std::string& name) {
    require_file(storage.type->dtype.has_value(), path_,
                 "tensor '{}' is a {}, expected a floating type, int64 or uint8", name,
                 storage.type->global);
    Array array{*storage.type->dtype, shape_of(sizes, name), {}};
    const size_t element = storage.type->element_size;
    const auto count = static_cast<uint64_t>(array.shape.count());
    if (count == 0) return array;
    const auto end = reach(offset, sizes, strides);
    require_file(end.has_value() && *end <= storage.count, path_,
                 "tensor '{}' {} with strides [{}] from element {} leaves its storage of {}", name,
                 array.shape.to_string(), fmt::join(strides, ","), offset, storage.count);
    require_file(count <= budget_ / element, path_,
                 "tensors are more than {} times as large as the file, at '{}'", kMaxExpansion,
                 name);
    budget_ -= count * element;
    array.bytes.resize(count * element);
    copy_strided(contents_.storages.at(storage.key).data() + offset * element, array.bytes.data(),
                 sizes, strides, element);
    return array;
  }

  Shape shape_of(const std::vector<int64_t>& sizes, const std::string& name) const {
    try {
      return Shape(sizes);
    } catch (const std::invalid_argument& error) {
      throw FileError(fmt::format("{}: tensor '{}': {}", path_, name, error.what()));
    }
  }

  const PthContents& contents_;
  const std::string& path_;
  uint64_t budget_;  // bytes the arrays may still take
};

}  // namespace

bool is_pth(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;  // a pipe would be waited for
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> start{};
  file.read(start.data(), start.size());
  const auto bytes = std::as_bytes(std::span(start)).first(static_cast<size_t>(file.gcount()));
  return is_zip_container(bytes) || is_legacy_container(bytes);
}

Archive read_pth(const std::string& path) {
  const std::vector<char> content = read_file(path);
  const auto bytes = std::as_bytes(std::span(content));
  if (is_zip_container(bytes)) {
    return StateDictReader(read_zip_container(bytes, path), bytes.size(), path).read();
  }
  require_file(is_legacy_container(bytes), path, "is not a PyTorch checkpoint (or is truncated)");
  return StateDictReader(read_legacy_container(bytes, path), bytes.size(), path).read();
}

}  // namespace edgeprune
