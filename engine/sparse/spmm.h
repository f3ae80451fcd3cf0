#pragma once
// Sparse weights x dense activations: 1x1 convolutions and the linear layer with CSR weights.

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/sparse/csr.h"

namespace edgeprune::sparse {

/// output[o] = activation(sum_i weights[o,i] * input[i] + bias[o] + residual[o]) for every column.
/// input: PanelLayout{weights.columns, columns}; output and residual (may be null):
/// PanelLayout{weights.rows, columns}; bias [weights.rows]. Vectorised for the target in use
/// (engine/kernels/simd/target.h).
void spmm(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
          const float* residual, Activation activation, float* output);

/// The same in plain loops: the oracle of the above.
void spmm_scalar(const CsrMatrix& weights, int64_t columns, const float* input, const float* bias,
                 const float* residual, Activation activation, float* output);

}  // namespace edgeprune::sparse
