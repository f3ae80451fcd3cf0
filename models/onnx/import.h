#pragma once

#include <string>

#include "engine/tensor/archive.h"
#include "models/onnx/model.h"

namespace edgeprune::onnx {

inline constexpr int64_t kOpenSize = 64;

/// A network of floats as a checkpoint of ours holds one: its graph in the metadata, with what else those say (normalisation,
/// classes ...), weights called after its nodes. Nodes are known by what they do and read, not by their names; those that nobody reads are
/// left out. Throws std::invalid_argument, naming the node by its operator and output, on what a Graph (engine/graph) cannot say.
/// Images are of `open_size` where the file leaves that open.
Archive to_archive(const Model& model, int64_t open_size = kOpenSize);

/// to_archive() of a file. Throws FileError.
Archive import_onnx(const std::string& path, int64_t open_size = kOpenSize);

}  // namespace edgeprune::onnx
