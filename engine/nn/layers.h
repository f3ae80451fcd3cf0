#pragma once
// Layers with PyTorch's parameter names and initial values.

#include "engine/base/random.h"
#include "engine/nn/module.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/conv2d.h"

namespace edgeprune::nn {

/// Convolution: "weight" [O,I/groups,k,k] and, if wanted, "bias" [O], zero until they are drawn or
/// loaded.
class Conv2d : public Module {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel, ops::Conv2dParams params,
         bool with_bias = false);
  /// Kaiming-normal by fan-out (He et al. 2015), as torchvision's networks start; the bias is zero.
  void draw(Rng& rng);
  /// `moments`: see ops::conv2d.
  Variable forward(const Variable& input, ops::ChannelMoments* moments = nullptr) const {
    return ops::conv2d(input, weight, params, moments, bias);
  }

  Variable weight, bias;  ///< the bias is undefined if there is none
  ops::Conv2dParams params;
};

/// "weight" (gamma), "bias" (beta), "running_mean", "running_var", "num_batches_tracked", with a
/// fused activation.
class BatchNorm2d : public Module {
 public:
  BatchNorm2d(int64_t channels, Activation activation);
  /// `moments` of the input, if they are known.
  Variable forward(const Variable& input, const ops::ChannelMoments* moments = nullptr);

  Variable weight, bias;
  ops::BatchNormState state;
  int64_t num_batches_tracked = 0;
  Activation activation;
};

/// "weight" [O,I] and "bias" [O], zero until they are drawn or loaded.
class Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features);
  /// Both uniform in +-1/sqrt(I), as PyTorch's Linear starts.
  void draw(Rng& rng);
  Variable forward(const Variable& input) const { return ops::linear(input, weight, bias); }

  Variable weight, bias;
};

}  // namespace edgeprune::nn
