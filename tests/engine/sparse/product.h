#pragma once
// A sparse product's arguments, and ways to compute it, for the tests of spmm.

#include <algorithm>

#include "engine/kernels/reference/activation.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/sparse/spmm.h"
#include "tests/support/layouts.h"
#include "tests/support/panels.h"
#include "tests/support/tensors.h"

namespace edgeprune::testing {

/// spmm(), one multiply-add at a time, in double.
inline void spmm_scalar(const sparse::CsrMatrix& weights, int64_t columns, const float* input,
                        const float* bias, const float* residual, Activation activation,
                        float* output) {
  const PanelLayout in{weights.columns, columns}, out{weights.rows, columns};
  for (int64_t row = 0; row < weights.rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      double sum = bias[row];
      for (int32_t i = weights.row_ptr[row]; i < weights.row_ptr[row + 1]; ++i) {
        sum += double(weights.values[i]) * input[in.offset(weights.col_idx[i], column)];
      }
      const int64_t at = out.offset(row, column);
      if (residual != nullptr) sum += residual[at];
      output[at] = static_cast<float>(reference::activate(activation, sum));
    }
  }
}

/// Activations as matrices and as panels; everything random but the weights.
struct Product {
  Product(Tensor dense_weights, int64_t column_count)
      : dense(std::move(dense_weights)),
        weights(sparse::CsrMatrix::from_dense(dense.data(), dense.dim(0), dense.dim(1))),
        columns(column_count),
        input(random_tensor({weights.columns, columns}, 2)),
        residual(random_tensor({weights.rows, columns}, 3)),
        input_panels(to_panels(input)),
        residual_panels(to_panels(residual)),
        bias(random_tensor({weights.rows}, 4)) {}

  /// By spmm.
  Tensor run(bool add_residual, Activation activation) const {
    return run(sparse::SparseWeights(weights, columns), add_residual, activation);
  }
  Tensor run(const sparse::SparseWeights& prepared, bool add_residual,
             Activation activation) const {
    Tensor output({out().size()}, NAN);
    sparse::spmm(prepared, columns, input_panels.data(), bias.data(),
                 add_residual ? residual_panels.data() : nullptr, activation, output.data());
    return from_panels(output, out());
  }
  /// By spmm, the residual in the output's place.
  Tensor run_in_place(Activation activation) const {
    Tensor output = residual_panels.clone();
    sparse::spmm(sparse::SparseWeights(weights, columns), columns, input_panels.data(), bias.data(),
                 output.data(), activation, output.data());
    return from_panels(output, out());
  }
  Tensor run_scalar(bool add_residual, Activation activation) const {
    Tensor output({out().size()}, NAN);
    spmm_scalar(weights, columns, input_panels.data(), bias.data(),
                add_residual ? residual_panels.data() : nullptr, activation, output.data());
    return from_panels(output, out());
  }
  /// As a dense 1x1 convolution over one row of pixels.
  Tensor run_reference(bool add_residual, Activation activation) const {
    const Conv2dShape shape{
        .in_width = columns, .in_channels = weights.columns, .out_channels = weights.rows};
    const auto to_pixels = [](const Tensor& matrix) {
      return nchw_to_nhwc(matrix.reshape({1, matrix.dim(0), 1, matrix.dim(1)}));
    };
    const Tensor pixels = to_pixels(input), added = to_pixels(residual);
    Tensor output({1, 1, columns, weights.rows});
    reference::conv2d_forward(shape, pixels.data(), dense.data(), bias.data(),
                              add_residual ? added.data() : nullptr, activation, output.data());
    return nhwc_to_nchw(output).reshape({weights.rows, columns});
  }

  PanelLayout out() const { return {weights.rows, columns}; }

  Tensor dense;
  sparse::CsrMatrix weights;
  int64_t columns;
  Tensor input, residual, input_panels, residual_panels, bias;
};

}  // namespace edgeprune::testing
