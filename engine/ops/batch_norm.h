#pragma once

#include "engine/autograd/variable.h"
#include "engine/ops/moments.h"

namespace edgeprune::ops {

/// What batch norm keeps between calls; updated in place in training.
struct BatchNormState {
  Tensor running_mean, running_var;  ///< [C]
  float momentum = 0.1f;             ///< weight of the newest batch, as PyTorch
  float eps = 1e-5f;
};

/// activation(gamma * (x - mean) / sqrt(var + eps) + beta) over the last axis of input [...,C];
/// gamma, beta [C]. Training uses the batch's own statistics (biased variance) and moves the
/// running ones (with the unbiased variance); evaluation uses the running ones (Ioffe & Szegedy
/// 2015). `moments` are input's, if they are known (for training). The result and the input's
/// gradient are lazy (engine/autograd/lazy.h): a convolution computes them as it reads. Throws
/// std::invalid_argument on shapes that do not fit, and in training on a single value per channel,
/// whose variance is zero.
Variable batch_norm(const Variable& input, const Variable& gamma, const Variable& beta,
                    BatchNormState& state, bool training, Activation activation,
                    const ChannelMoments* moments = nullptr);

}  // namespace edgeprune::ops
