#pragma once
// Dense convolutions of any kernel size in integers, the first layer above all: patches of some rows of the map, with
// padding around, are what pointwise.h multiplies.

#include <cstdint>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/int8/pointwise.h"

namespace edgeprune::int8 {

class Conv2dWeights {
 public:
  /// Weights [O,I,k,k]; inputs have `input_pixel` bytes a pixel, at least I. Batch, height and width of
  /// the shape may differ later. Throws std::invalid_argument if sums could overflow, or on groups.
  Conv2dWeights(const RowNumbers& numbers, const Conv2dShape& shape, const Grid& input,
                int64_t input_pixel);

  const PointwiseWeights& rows() const { return rows_; }
  int64_t input_pixel() const { return input_pixel_; }
  uint8_t padding() const { return padding_; }
  /// Bytes of a patch.
  int64_t depth() const { return kernel_ * kernel_ * input_pixel_; }

 private:
  PointwiseWeights rows_;
  int64_t kernel_, input_pixel_;
  uint8_t padding_;
};

/// Bytes of scratch that each thread needs.
int64_t conv2d_scratch_size(const Conv2dWeights& weights, const Conv2dShape& shape);

/// Output and residual pixel_bytes(O) bytes a pixel; scratch: conv2d_scratch_size() for each thread. The
/// same bits for any number of threads, on any target.
void conv2d(const Conv2dWeights& weights, const Conv2dShape& shape, const uint8_t* input,
            const QuantizedResidual& residual, const Ending& output, uint8_t* scratch, uint8_t* to);
/// The same of images in floats, [N,H,W,I], which become bytes on the grid `input` row by row.
void conv2d_images(const Conv2dWeights& weights, const Conv2dShape& shape, const float* images,
                   const Grid& input, const Ending& output, uint8_t* scratch, uint8_t* to);

}  // namespace edgeprune::int8
