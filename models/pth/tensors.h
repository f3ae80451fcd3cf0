#pragma once
// Tensors out of a checkpoint's objects.

#include <map>
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

  /// Row-major whatever its strides; a parameter counts as its tensor, attributes are dropped. Throws
  /// FileError, which calls it `name`, if it is something else than a dense tensor of one of DType's
  /// types, leaves its storage, or if all so far are many times as large as the file.
  Array read(pickle::Ref value, const std::string& name);

 private:
  struct Layout {
    uint64_t offset;  ///< elements
    std::vector<int64_t> sizes, strides;
  };
  const std::vector<std::byte>& storage_of(const StorageRef& storage);
  std::vector<int64_t> integers(pickle::Ref value, const std::string& name) const;
  Array copy_out(const StorageRef& storage, DType dtype, const Layout& layout,
                 const std::string& name);
  Shape shape_of(const std::vector<int64_t>& sizes, const std::string& name) const;

  struct Loaded {
    StorageRef ref;
    std::vector<std::byte> bytes;
  };
  const PthContents& contents_;
  const std::string& path_;
  std::map<std::string, Loaded> storages_;
  uint64_t budget_;  // bytes the arrays may still take
};

}  // namespace edgeprune
