#pragma once

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/reference/conv2d.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

/// A dense convolution with random numbers, and what the plain loops make of it.
struct DenseLayer {
  explicit DenseLayer(const Conv2dShape& s)
      : shape(s),
        input(random_tensor({s.batch, s.in_height, s.in_width, s.in_channels}, 1)),
        weights(random_tensor({s.out_channels, s.in_channels, s.kernel, s.kernel}, 2)),
        bias(random_tensor({s.out_channels}, 3)),
        residual(random_tensor({s.batch, s.out_height(), s.out_width(), s.out_channels}, 4)) {}

  Tensor expected(Activation activation, bool add_residual) const {
    Tensor output(residual.shape());
    reference::conv2d_forward(shape, input.data(), weights.data(), bias.data(),
                              add_residual ? residual.data() : nullptr, activation, output.data());
    return output;
  }

  Conv2dShape shape;
  Tensor input, weights, bias, residual;
};

}  // namespace edgeprune::testing
