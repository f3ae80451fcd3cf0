#pragma once

#include <map>
#include <string>

#include "engine/tensor/archive.h"
#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// Throws std::invalid_argument for one that constants of ours do not have.
DType dtype_of(DataType type);

/// How many bytes a constant of its type and dimensions has. Throws std::invalid_argument on dimensions that make no sense.
size_t bytes_of(const Tensor& tensor);

/// Of a constant whose bytes are there: throws std::invalid_argument unless there are as many as it has. Makes other
/// floating types float32.
void complete(Tensor& tensor);

/// From the entries "location", "offset" and "length" of the constant `name`. Throws std::invalid_argument unless the location is
/// a file's name and nothing more.
External external_of(const std::string& name, const std::map<std::string, std::string>& entries);

}  // namespace edgeprune::onnx
