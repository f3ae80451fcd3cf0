#pragma once

#include <cstddef>
#include <string>

#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// Protocol buffers hold no more: readers refuse larger files.
inline constexpr size_t kMostBytes = (size_t{1} << 31) - 1;

/// The bytes of an .onnx file. Throws std::invalid_argument if there are more than `most`, before it makes them.
std::string serialize(const Model& model, size_t most = kMostBytes);

/// Written atomically. Throws what serialize() throws, and FileError.
void write_onnx(const std::string& path, const Model& model);

}  // namespace edgeprune::onnx
