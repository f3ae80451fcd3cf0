#pragma once

#include <string>

#include "engine/tensor/archive.h"

namespace edgeprune {

/// Reads the state dict of a PyTorch checkpoint (torch.save), in the zip or the legacy container,
/// executing nothing of it. Tensors keep PyTorch's names and shapes and become row-major whatever
/// their strides; parameters count as tensors, attributes are dropped, the archive's metadata is
/// empty. The file holds a dict or OrderedDict of tensors, or a dict with such a one under
/// 'state_dict', whose neighbours are then ignored. Throws FileError("path: ...") if the file is
/// missing, neither container, truncated, damaged, holds anything else than that, or a tensor of
/// another type than F32, I64 and U8.
Archive read_pth(const std::string& path);

}  // namespace edgeprune
