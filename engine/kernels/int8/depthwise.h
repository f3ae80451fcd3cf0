#pragma once
// Depthwise convolutions in integers (kernels/quantization.h), requantised as they are made.

#include <cstdint>
#include <memory>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/int8/pointwise.h"
#include "engine/kernels/quantization.h"

namespace edgeprune::int8 {

/// Weights packed in the order in which kernels read them (depthwise_packing.h).
struct PackedDepthwise;

/// Weights [C,1,k,k] with bias and multipliers, copied. Packed for the target in use and run on that
/// one ever after. Cheap to copy, safe to use from several threads at once.
class DepthwiseWeights {
 public:
  /// `input`: of the maps to come. Of the shape all but batch, height and width must stay. 3x3 with
  /// padding 1 and 5x5 with padding 2, stride 1 or 2, run on vectors, anything else in plain loops. Throws
  /// std::invalid_argument if sums could overflow, or unless the shape is depthwise.
  DepthwiseWeights(const RowNumbers& numbers, const Conv2dShape& shape, const Grid& input);

  const char* product() const;
  int64_t bytes() const;
  const PackedDepthwise& packed() const { return *packed_; }

 private:
  std::shared_ptr<const PackedDepthwise> packed_;
};

/// Input and output pixel_bytes(C) bytes a pixel. The same bits for any number of threads, on any
/// target.
void depthwise(const DepthwiseWeights& weights, const Conv2dShape& shape, const uint8_t* input,
               const Ending& output, uint8_t* to);

}  // namespace edgeprune::int8
