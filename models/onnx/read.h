#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "models/onnx/model.h"

namespace edgeprune::onnx {

/// What an .onnx file's bytes say, its constants of all kinds included (nodes "Constant" are left as they are), but those
/// that are in other files. Numbers of other floating types come as float32. Throws std::invalid_argument on what is damaged or has not
/// one input and one output.
Model parse(std::string_view bytes);

/// Gives constants their bytes from other files, each of which is read once: read(name). Names are those of files
/// beside the model, so that no model reads what is elsewhere. Throws std::invalid_argument on what is more than the file has, and whatever `read` throws.
void read_external(Model& model, const std::function<std::vector<char>(const std::string&)>& read);

/// Both. Throws FileError. What is beside the model is no link.
Model read_onnx(const std::string& path);

/// Whether the file begins as those of all exporters do. False if it cannot be read.
bool is_onnx(const std::string& path);

}  // namespace edgeprune::onnx
