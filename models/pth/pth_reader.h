#pragma once

#include <string>

#include "engine/tensor/archive.h"

namespace edgeprune {

/// Reads the weights of a PyTorch checkpoint (torch.save), in the zip or the legacy container,
/// executing nothing of it. Tensors keep PyTorch's names and shapes and become row-major whatever
/// their strides; parameters count as tensors, attributes are dropped, the archive's metadata is
/// empty, its notes say what was chosen and passed over. Where in the file the weights are:
/// find_state_dict(), which `key` tells otherwise. Throws FileError("path: ...") if the file is missing, neither container,
/// truncated, damaged, has no weights, or among them something else than a tensor of one of
/// DType's types.
Archive read_pth(const std::string& path, const std::string& key = "");

/// Whether the file begins as either container does. False if it cannot be read.
bool is_pth(const std::string& path);

}  // namespace edgeprune
