#pragma once
// Tensors out of a checkpoint's objects.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/pth/container.h"

namespace edgeprune {

/// Whether it is a call that makes a tensor, of whatever kind; read() may yet refuse it.
bool makes_tensor(pickle::Ref value);

/// Reads the tensors that are asked for, and of the storages those that they lie in.
class TensorReader {
 public:
  TensorReader(const PthContents& contents, size_t file_size, const std::string& path);

  /// Row-major whatever their strides; a parameter counts as its tensor, attributes are dropped. Throws
  /// FileError, which names it, if one is something else than a dense tensor of one of DType's
  /// types, leaves its storage, or if all are many times as large as the file. To be called once.
  std::map<std::string, Array> read(const std::map<std::string, pickle::Ref>& values);

 private:
  /// A tensor as the pickle describes it.
  struct Description {
    StorageRef storage;
    DType dtype;
    uint64_t offset;  ///< elements
    std::vector<int64_t> sizes, strides;
  };
  struct Storage {
    StorageRef ref;
    size_t uses = 0;  ///< by tensors that are still to be read
    std::optional<std::vector<std::byte>> bytes;
  };
  Description describe(pickle::Ref value, const std::string& name) const;
  std::vector<int64_t> integers(pickle::Ref value, const std::string& name) const;
  Shape shape_of(const std::vector<int64_t>& sizes, const std::string& name) const;
  Storage& storage_of(const StorageRef& ref);
  Array take(const Description& tensor, const std::string& name);

  const PthContents& contents_;
  const std::string& path_;
  std::map<std::string, Storage> storages_;
  uint64_t budget_;  // bytes the arrays may still take
};

}  // namespace edgeprune
