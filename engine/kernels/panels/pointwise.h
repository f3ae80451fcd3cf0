#pragma once
// Dense 1x1 convolutions and linear layers on panels (panel_layout.h): matrix products with bias,
// residual and activation fused.

#include <memory>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// Weights packed in the order in which the product reads them (pointwise_packing.h).
struct PackedPointwise;

/// Dense weights [rows, channels], copied. Packed for the target in use
/// (engine/kernels/simd/target.h) and run on that one ever after. Cheap to copy, safe to use from
/// several threads at once.
class PointwiseWeights {
 public:
  /// `columns` of the inputs to come decides what runs along the vectors: columns, or with up to
  /// eight of them, rows. Throws std::invalid_argument unless all sizes are positive.
  PointwiseWeights(const float* weights, int64_t rows, int64_t channels, int64_t columns);

  int64_t rows() const;
  int64_t channels() const;

 private:
  friend void pointwise(const PointwiseWeights&, int64_t, const float*, const float*, const float*,
                        Activation, const PanelTarget&);
  std::shared_ptr<const PackedPointwise> packed_;
};

/// output = activation(weights * input + bias + residual). input: PanelLayout{weights.channels(),
/// columns}; output and residual (may be null, may be output): PanelLayout{weights.rows(),
/// columns} (output with more than eight columns: wherever its target says); bias
/// [weights.rows()]. The same bits for any number of threads. Fastest with the
/// number of columns that the weights were packed for; those packed for more than eight work with
/// any other such number. Throws std::invalid_argument if they were packed for panels of four or
/// eight columns and input's are not, or the reverse.
void pointwise(const PointwiseWeights& weights, int64_t columns, const float* input,
               const float* bias, const float* residual, Activation activation,
               const PanelTarget& output);
inline void pointwise(const PointwiseWeights& weights, int64_t columns, const float* input,
                      const float* bias, const float* residual, Activation activation,
                      float* output) {
  pointwise(weights, columns, input, bias, residual, activation,
            PanelLayout{weights.rows(), columns}.target(output));
}

}  // namespace edgeprune::panels
