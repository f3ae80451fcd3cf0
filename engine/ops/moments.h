#pragma once

#include "engine/tensor/tensor.h"

namespace edgeprune::ops {

/// Per-channel mean and biased variance of a tensor, [C] each: a convolution takes those of its
/// output on the way, the batch norm behind it need not read it once more.
struct ChannelMoments {
  Tensor mean, variance;
};

}  // namespace edgeprune::ops
