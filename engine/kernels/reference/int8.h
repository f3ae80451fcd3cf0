#pragma once
// The obvious loops in integers: what engine/kernels/int8 has to equal, bit for bit.

#include <cstdint>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/quantization.h"

namespace edgeprune::reference {

/// A convolution's integers; zero_point is the input's, which pads it.
struct QuantizedConv2d {
  Conv2dShape shape;
  const int8_t* weights;     ///< [O,I/groups,k,k]
  const int32_t* bias;       ///< [O]
  const float* multipliers;  ///< [O]
  int zero_point = 0;
};

/// How near numbers came to the ends of what holds them, in wide integers.
struct Extremes {
  /// What sums can come to on the way, in whatever order their products are added up.
  int64_t least = 0, most = 0;
  int64_t sums = 0, beyond = 0;  ///< how many, and of how many that does not fit 32 bits
  /// How many outputs there are, and how many were cut to the lowest and the highest of the grid.
  int64_t outputs = 0, below = 0, above = 0;

  Extremes& operator+=(const Extremes& other);
};

/// round_to_byte(); counts the output if `extremes` is not null.
uint8_t cut_to_byte(float value, const Ending& output, Extremes* extremes);

/// sums[N,H',W',O] of products and bias, pixels of the input `input_pixel` bytes apart.
void conv2d_sums(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 int32_t* sums, Extremes* extremes = nullptr);

/// Pixels of residual and output pixel_bytes(O) apart; bytes behind the channels become zero_point.
void conv2d_int8(const QuantizedConv2d& conv, const uint8_t* input, int64_t input_pixel,
                 const QuantizedResidual& residual, const Ending& output, uint8_t* to,
                 Extremes* extremes = nullptr);

/// What bytes stand for, [pixels, channels].
void dequantize(const uint8_t* from, int64_t pixels, int64_t channels, const Grid& grid, float* to);

/// The largest of each window's bytes, pixels pixel_bytes(C) apart; padding counts for nothing.
void max_pool_int8(const Conv2dShape& shape, const uint8_t* from, uint8_t* to);

/// Maps [images, pixels, C] times factors [images, C], pixels pixel_bytes(C) apart.
void scale_channels_int8(int64_t images, int64_t pixels, int64_t channels, const Grid& map_grid,
                         const uint8_t* map, const Grid& factor_grid, const uint8_t* factors,
                         const Grid& output, uint8_t* to, Extremes* extremes = nullptr);

}  // namespace edgeprune::reference
