#pragma once
// 1x1 convolutions and linear layers in integers (kernels/quantization.h), requantised as they are
// made.

#include <cstdint>
#include <memory>

#include "engine/kernels/quantization.h"

namespace edgeprune::int8 {

/// What a layer's sums are made of.
struct RowNumbers {
  const int8_t* weights;     ///< [rows, channels]
  const int32_t* bias;       ///< [rows]
  const float* multipliers;  ///< [rows]
};

/// Weights packed in the order in which the product reads them (pointwise_packing.h).
struct PackedPointwise;

/// Weights [rows, channels] with bias and multipliers, copied. Packed for the target in use
/// (engine/kernels/simd/target.h) and run on that one ever after. Cheap to copy, safe to use from
/// several threads at once.
class PointwiseWeights {
 public:
  /// `highest`: of the inputs to come, which with these weights must not overflow. Throws
  /// std::invalid_argument if they could, or unless sizes are positive.
  PointwiseWeights(const RowNumbers& numbers, int64_t rows, int64_t channels, int highest);

  int64_t rows() const;
  int64_t bytes() const;        ///< of what run() reads
  const char* product() const;  ///< "vnni", "sdot", "pairs", "signs" or "plain"
  const PackedPointwise& packed() const { return *packed_; }

 private:
  std::shared_ptr<const PackedPointwise> packed_;
};

/// Inputs: pixels `pixel` bytes apart, of which the first `channels`, rounded up to four, are read; in `pieces`
/// of as many channels each, whole fours, that lie `piece_bytes` apart (a patch's rows).
struct Pixels {
  const uint8_t* data;
  int64_t count, pixel;
  int64_t pieces = 1, piece_bytes = 0;
};

/// to = requantised(weights * input + bias, + residual): pixel_bytes(rows) bytes a pixel, residual
/// likewise (may not be `to`). The same bits for any number of threads, on any target.
void pointwise(const PointwiseWeights& weights, const Pixels& input,
               const QuantizedResidual& residual, const Ending& output, uint8_t* to);
/// The same, on the calling thread.
void pointwise_alone(const PointwiseWeights& weights, const Pixels& input,
                     const QuantizedResidual& residual, const Ending& output, uint8_t* to);
/// to [pixels, rows] = multiplier * (weights * input + bias): a network's last layer.
void pointwise_logits(const PointwiseWeights& weights, const Pixels& input, float* to);

}  // namespace edgeprune::int8
