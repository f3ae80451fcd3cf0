#pragma once
// More of what has no weights, in integers (kernels/quantization.h): each has its plain loops in
// kernels/reference/int8.h. The same bits for any number of threads, on any target.

#include <cstdint>

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/grid.h"

namespace edgeprune::int8 {

/// What bytes stand for: pixel_bytes(channels) a pixel to floats [pixels, channels].
void dequantize(const uint8_t* from, int64_t pixels, int64_t channels, const Grid& grid, float* to);

/// The largest of each window, on the input's own grid, pixel_bytes(C) a pixel; padding counts for nothing.
void max_pool(const Conv2dShape& shape, const uint8_t* from, uint8_t* to);

}  // namespace edgeprune::int8
