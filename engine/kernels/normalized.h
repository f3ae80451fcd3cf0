#pragma once
// Batch norm is bound by memory: rather than store its result, kernels apply it to what they read.
// Everything here is [rows, channels], channels-last (rows = N*H*W), coefficients per channel.

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune {

/// A tensor as its reader sees it: activation(data * scale + shift), or data as it is where scale
/// is null.
struct Normalized {
  const float* data = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  Activation activation = Activation::none;
};

/// The gradient of `output.data` from `data`, the gradient of what a reader of `output` sees:
/// a * g + b * output.data + c, with g = data where the activation passes it, else 0. `data` as it
/// is where a is null.
struct NormalizedGradient {
  const float* data = nullptr;
  const float *a = nullptr, *b = nullptr, *c = nullptr;
  Normalized output = {};
};

/// Where to put per-channel mean and biased variance.
struct Moments {
  float* mean = nullptr;
  float* variance = nullptr;
};

/// What a batch norm's backward pass needs of all rows: sum(g) and sum(g * (x - mean)) per channel,
/// for g the gradient behind the activation and x the tensor that was normalised.
struct GradientSums {
  const float* mean = nullptr;
  float* sum_grad = nullptr;
  float* sum_grad_input = nullptr;
};

}  // namespace edgeprune
