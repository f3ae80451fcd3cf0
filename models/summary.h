#pragma once
// What a model is made of, counted.

#include <string>
#include <vector>

#include "engine/nn/network.h"

namespace edgeprune {

/// A weight that pruning may zero: every Conv2d's and the Linear's, no biases, no batch norm
/// (2,202,560 values at width 1.0 with 10 classes).
struct PrunableWeight {
  std::string name;   ///< "features.1.conv.0.0.weight"
  Variable variable;  ///< a handle on the model's own; [O,I/groups,k,k] or [O,I]
  bool is_conv;       ///< false for the linear layers, which channel pruning leaves alone
  std::string layer() const { return name.substr(0, name.rfind('.')); }  ///< "features.1.conv.0.0"
};
std::vector<PrunableWeight> prunable_weights(const nn::Network& model);

/// One convolution (or the head) at batch 1.
struct LayerSummary {
  std::string name;
  std::string kind;  ///< "conv 3x3", "depthwise 3x3", "pointwise", "linear"
  Shape weight;
  std::string output;                    ///< "[96,32,32]": channels, height, width
  int64_t parameters = 0, nonzeros = 0;  ///< of the weight; subnormal values count as zero
  int64_t multiply_adds = 0;             ///< an image
  /// Those of nonzero weights: zeros skipped, a share equal to the weight's density (exact but for
  /// the padding).
  int64_t nonzero_multiply_adds = 0;
};

struct ModelSummary {
  std::vector<LayerSummary> layers;
  int64_t parameters = 0, nonzero_parameters = 0;  ///< all trainable ones
  int64_t prunable = 0, nonzero_prunable = 0;
  int64_t multiply_adds = 0, nonzero_multiply_adds = 0;

  double sparsity() const { return 1.0 - double(nonzero_parameters) / double(parameters); }
  double prunable_sparsity() const { return 1.0 - double(nonzero_prunable) / double(prunable); }
};
ModelSummary summarize(const nn::Network& model);

}  // namespace edgeprune
