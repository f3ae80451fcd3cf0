#pragma once
// Convolutions of any window, stride and padding as products of matrices, channels-last, for
// inference: register tiles of pixels by output channels, which read the input's pixels where they
// stand, or lines of it padded with zeros.

#include <memory>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::simd {

struct Conv2dKernel;

/// A layer with its weights packed once. For one group.
class Conv2d {
 public:
  /// weights [O,I,k,k] and bias [O] are copied. Packed for the target in use (target.h) and run on
  /// that one ever after. Throws std::invalid_argument if there are groups.
  Conv2d(const Conv2dShape& shape, const float* weights, const float* bias, Activation activation);

  /// output = activation(conv(input) + bias + residual); residual may be null and may be output.
  /// `scratch`: scratch_size() floats of any content. No more threads than were in force when it was
  /// made are used. Their number does not change the result.
  void run(const float* input, const float* residual, float* output, float* scratch) const;

  int64_t scratch_size() const { return threads_ * block_lines_ * line_scratch_; }
  int64_t weight_bytes() const { return static_cast<int64_t>(sizeof(float)) * weight_floats_; }

 private:
  Conv2dShape shape_;
  Activation activation_;
  const Conv2dKernel* kernel_;
  int64_t lines_, line_scratch_, block_lines_, panels_, weight_floats_;
  int threads_;
  bool shared_;  ///< all threads work on one block
  std::shared_ptr<const float[]> weights_, bias_;
};

}  // namespace edgeprune::simd
