#pragma once
// Convolutions and the linear layer: forward and backward side by side.

#include "engine/autograd/variable.h"

namespace edgeprune::ops {

struct Conv2dParams {
  int64_t stride = 1, padding = 0, groups = 1;
};

/// input [N,H,W,C], weight [O,C/groups,k,k], no bias (batch norm has it). Result [N,H',W',O], H' =
/// (H + 2 padding - k) / stride + 1. Depthwise 3x3 layers run on our own kernels, everything else
/// on oneDNN. Throws std::invalid_argument, naming both shapes, if they do not fit.
Variable conv2d(const Variable& input, const Variable& weight, const Conv2dParams& params);

/// input [N,C], weight [O,C], bias [O]. Result [N,O].
Variable linear(const Variable& input, const Variable& weight, const Variable& bias);

}  // namespace edgeprune::ops
