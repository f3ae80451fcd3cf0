#pragma once

#include <string>
#include <string_view>

#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// What an .onnx file's bytes say, its constants of all kinds included (nodes "Constant" are left as they are). Throws std::invalid_argument
/// on what is damaged, keeps its weights in other files, or has not one input and one output.
Model parse(std::string_view bytes);

/// Throws FileError.
Model read_onnx(const std::string& path);

/// Whether the file begins as those of all exporters do. False if it cannot be read.
bool is_onnx(const std::string& path);

}  // namespace edgeprune::onnx
