#pragma once
// The two containers torch.save has had (described by torch/serialization.py).

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/pth/storage.h"

namespace edgeprune {

struct PthContents {
  pickle::Pickle object;  ///< what was saved
  /// The bytes of a storage, as many as the pickle says. Read only when asked for, so that what an
  /// optimiser keeps costs nothing. May be called as long as the bytes given are there.
  std::function<std::vector<std::byte>(const StorageRef&)> read;
};

bool is_zip_container(std::span<const std::byte> file);
bool is_legacy_container(std::span<const std::byte> file);

/// Since PyTorch 1.6: a zip archive of NAME/data.pkl, the storages NAME/data/KEY, and lately
/// NAME/byteorder; none of these is compressed. TorchScript's archives have the same, and code, which is
/// not looked at. Throws FileError("path: ...") if it is truncated, damaged, compressed or big-endian.
PthContents read_zip_container(const std::string& path);

/// Before: five pickles (magic number, protocol version, the writing system's type sizes, the
/// object, a list of storage keys), then for each key the count of elements in 8 bytes and the
/// elements. Throws FileError("path: ...").
PthContents read_legacy_container(std::span<const std::byte> file, const std::string& path);

}  // namespace edgeprune
