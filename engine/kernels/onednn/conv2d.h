#pragma once
// Convolutions by oneDNN, channels-last activations, float32. This folder is the only one that
// includes dnnl.hpp.

#include <memory>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::onednn {

// Training. A primitive is made once per shape and thread count and cached for the calling thread.
// Weights come and go in torchvision's [O,I,k,k] and are reordered to the primitive's own layout on
// every call (a few KB to 1.6 MB). Throw std::runtime_error when oneDNN does not support the shape,
// or does it wrongly on this CPU: each kind of shape is tried against the plain loops before its
// first use in a process.

/// output = conv(input, weights) + bias [O]; bias may be null.
void conv2d_forward(const Conv2dShape& shape, const float* input, const float* weights,
                    const float* bias, float* output);
/// d(loss)/d(input). Overwrites.
void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* weights,
                          float* grad_input);
/// d(loss)/d(weights) in [O,I,k,k]. Overwrites.
void conv2d_backward_weights(const Conv2dShape& shape, const float* input, const float* grad_output,
                             float* grad_weights);

/// Inference: one layer with its weights reordered once and bias, residual and activation fused
/// behind the product, or added by our own code where oneDNN fuses them wrongly. Uses the thread
/// count in force when it was made.
class FusedConv2d {
 public:
  /// weights [O,I/groups,k,k] and bias [O] are copied. With `add_residual`, run() wants a residual;
  /// throws std::invalid_argument if there are groups then (oneDNN 2.6 adds the wrong values behind
  /// a depthwise convolution to a 1x1 map with channels no multiple of 16); std::runtime_error if
  /// oneDNN cannot be trusted with the product itself.
  FusedConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
              Activation activation, bool add_residual);
  ~FusedConv2d();
  FusedConv2d(FusedConv2d&&) noexcept;
  FusedConv2d& operator=(FusedConv2d&&) noexcept;

  /// output = activation(conv(input) + bias + residual). Threads may call it at once.
  /// oneDNN's ReLU, ReLU6 and hard sigmoid make zero of NaN; our own kernels keep it.
  void run(const float* input, const float* residual, float* output);

  /// Whether oneDNN does all of it: it does where that was found right on this CPU.
  bool is_fused() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "2.6.3"
const char* version();

}  // namespace edgeprune::onednn
