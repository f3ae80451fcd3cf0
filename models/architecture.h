#pragma once
// MobileNetV2 as a table (Sandler et al. 2018), and as the flat list of convolutions it unrolls to.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune {

/// One inverted residual block: expand 1x1 (absent when `expand` is false), depthwise 3x3, project
/// 1x1.
struct BlockSpec {
  int64_t hidden = 0;  ///< channels of the depthwise convolution
  int64_t out = 0;     ///< channels of the block's output
  int64_t stride = 1;  ///< of the depthwise convolution
  bool expand = true;
  bool residual = false;  ///< the block's input is added to its output
};

/// What distinguishes one MobileNetV2 from another; a checkpoint's metadata carries it.
struct Architecture {
  double width = 1.0;
  int64_t input_size = 64;  ///< images are input_size x input_size
  int64_t classes = 10;
  int64_t stem = 32;    ///< output channels of features.0
  int64_t last = 1280;  ///< output channels of features.18
  std::vector<BlockSpec> blocks;

  /// The paper's table 2 at a width multiplier. Throws std::invalid_argument unless width > 0,
  /// input_size is in [32, 4096] and classes >= 2.
  static Architecture mobilenet_v2(double width = 1.0, int64_t input_size = 64,
                                   int64_t classes = 10);
};

/// Throws std::invalid_argument on what is no network: sizes out of range, blocks that do not join.
void validate(const Architecture& architecture);

void to_json(nlohmann::json& json, const Architecture& architecture);
/// Throws nlohmann::json::exception or std::invalid_argument on what is no architecture.
void from_json(const nlohmann::json& json, Architecture& architecture);

/// One convolution and the batch norm behind it, under torchvision's names.
struct ConvSpec {
  std::string conv;   ///< "features.2.conv.0.0": its weight is this + ".weight"
  std::string norm;   ///< "features.2.conv.0.1"
  Conv2dShape shape;  ///< batch 1, at the architecture's input size
  Activation activation = Activation::relu6;
  bool opens_block = false;    ///< its input is what a residual block adds
  bool adds_residual = false;  ///< the block's input is added to its output
};

/// All convolutions in the order they run. The network ends with a global average pool, dropout and
/// the linear layer "classifier.1".
std::vector<ConvSpec> unroll(const Architecture& architecture);

inline constexpr const char* kHeadName = "classifier.1";

}  // namespace edgeprune
