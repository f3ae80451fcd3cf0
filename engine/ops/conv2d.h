#pragma once
// Convolutions and the linear layer: forward and backward side by side.

#include "engine/autograd/variable.h"
#include "engine/ops/moments.h"

namespace edgeprune::ops {

struct Conv2dParams {
  int64_t stride = 1, padding = 0, groups = 1;
};

/// input [N,H,W,C], weight [O,C/groups,k,k], bias [O] unless it is undefined (batch norm has one).
/// Result [N,H',W',O], H' = (H + 2 padding - k) / stride + 1; its moments go to `moments` unless that
/// is null. 1x1 and
/// depthwise 3x3 and 5x5 layers, and those whose input requires no gradient (the first one), run on our own
/// kernels, which read a batch norm's output and gradient without its being written out; everything
/// else runs on oneDNN. Throws std::invalid_argument, naming both shapes, if they do not fit.
Variable conv2d(const Variable& input, const Variable& weight, const Conv2dParams& params,
                ChannelMoments* moments = nullptr, const Variable& bias = {});

/// input [N,C], weight [O,C], bias [O]. Result [N,O].
Variable linear(const Variable& input, const Variable& weight, const Variable& bias);

}  // namespace edgeprune::ops
