#pragma once
// Networks in the form that other programs run.

#include <string>

#include "models/checkpoint.h"
#include "models/onnx/model.h"

namespace edgeprune::onnx {

inline constexpr int kOldestOpset = 13, kNewestOpset = 17;

struct ExportOptions {
  int opset = kNewestOpset;
  int64_t batch = 1;  ///< images at a time; kAnyBatch: each run's choice
  /// The input are an image file's pixels, [N,H,W,3], 0 to 255, in place of normalised numbers, [N,3,H,W].
  bool preprocess = false;
  std::string producer_version = "";
};

/// The network for inference: batch norm folded, zeros as they are; its metadata have a checkpoint's keys (models/checkpoint.h). A quantised one
/// is in QDQ form, integers between QuantizeLinear and DequantizeLinear, which runtimes fuse to integer operators
/// (README.md says how it differs from the engine int8). Throws std::invalid_argument, naming the layer, on what cannot be said in ONNX.
Model to_onnx(const nn::Network& network, const ModelInfo& info, const ExportOptions& options = {});

}  // namespace edgeprune::onnx
