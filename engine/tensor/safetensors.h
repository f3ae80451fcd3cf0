#pragma once
// The safetensors container (https://github.com/huggingface/safetensors): 8 bytes of header length,
// a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {key: string}}, then the
// bytes.

#include <string>

#include "engine/tensor/archive.h"

namespace edgeprune {

/// Throws FileError("path: ...") if the file is missing, truncated, not safetensors, names a tensor
/// twice, has offsets that overlap, leave gaps or do not fit the shape, or holds a dtype that DType
/// has not.
Archive read_safetensors(const std::string& path);

/// Whether the file begins as one does. False if it cannot be read.
bool is_safetensors(const std::string& path);

/// Written atomically (engine/base/file.h). Names are sorted and the header padded, so that equal
/// archives make equal files; wider types' bytes come first, so that every tensor is aligned
/// whatever the counts, as PyTorch's reader needs. Throws FileError, or std::invalid_argument if an
/// array's bytes do not fit its shape, it is named "__metadata__", or a string is not UTF-8.
void write_safetensors(const std::string& path, const Archive& archive);
/// The size of that file.
int64_t safetensors_bytes(const Archive& archive);

}  // namespace edgeprune
