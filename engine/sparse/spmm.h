#pragma once
// Sparse weights x dense activations: 1x1 convolutions and the linear layer with CSR weights.

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/sparse/sparse_weights.h"

namespace edgeprune::sparse {

/// output[o] = activation(sum_i weights[o,i] * input[i] + bias[o] + residual[o]) for every column.
/// input: PanelLayout{weights.channels(), columns}; output and residual (may be null, may be
/// output itself): PanelLayout{weights.rows(), columns}, or the output wherever its target says; input on cache lines for speed; bias
/// [weights.rows()]. Inputs are taken to be finite: a zero weight may be multiplied or left out.
/// Threads share the work by nonzeros; the result does not depend on their number. Vectorised for
/// the target in use (engine/kernels/simd/target.h). Throws std::invalid_argument if the weights
/// were prepared for panels of another width.
void spmm(const SparseWeights& weights, int64_t columns, const float* input, const float* bias,
          const float* residual, Activation activation, const PanelTarget& output);
inline void spmm(const SparseWeights& weights, int64_t columns, const float* input,
                 const float* bias, const float* residual, Activation activation, float* output) {
  spmm(weights, columns, input, bias, residual, activation,
       PanelLayout{weights.rows(), columns}.target(output));
}

/// spmm() by one block of the weights' channels (SparseWeights), for whom what it reads is made when it
/// is read: the first `columns` of a single panel of weights.width() columns, of which up to 15 more
/// are computed. The first block begins with the bias, the others add to the output. `input`: the
/// block's channels.
void spmm_block(const SparseWeights& weights, int64_t block, int64_t columns, const float* input,
                const float* bias, float* output);

}  // namespace edgeprune::sparse
