#pragma once
// What has no weights, in integers (kernels/quantization.h). The same bits for any number of threads,
// on any target.

#include <cstdint>

#include "engine/kernels/grid.h"

namespace edgeprune::int8 {

/// Floats [pixels, channels] to bytes on the grid, `pixel` bytes a pixel, those behind the channels standing
/// for zero; what is NaN becomes the lowest.
void quantize(const float* x, int64_t pixels, int64_t channels, const Grid& grid, int64_t pixel,
              uint8_t* to);

/// The same, on the calling thread.
void quantize_alone(const float* x, int64_t pixels, int64_t channels, const Grid& grid,
                    int64_t pixel, uint8_t* to);

/// The mean of each channel's pixels, [batch, pixels, C] to [batch, C], pixel_bytes(channels) a pixel.
/// Throws std::invalid_argument if the sum of so many pixels could overflow.
void global_average_pool(int64_t batch, int64_t pixels, int64_t channels, const Grid& input,
                         const uint8_t* from, const Grid& output, uint8_t* to);

/// a + b, byte by byte: each scale * (q - zero_point).
void add(int64_t count, const Grid& a_grid, const uint8_t* a, const Grid& b_grid, const uint8_t* b,
         const Grid& output, uint8_t* to);

/// Each channel times its image's factor for it: maps [images, pixels, C] by factors [images, C],
/// pixel_bytes(channels) a pixel. A factor is a float, factor_scale (f - zero_point) map_scale / output_scale,
/// a product q - zero_point times it.
void scale_channels(int64_t images, int64_t pixels, int64_t channels, const Grid& map_grid,
                    const uint8_t* map, const Grid& factor_grid, const uint8_t* factors,
                    const Grid& output, uint8_t* to);

}  // namespace edgeprune::int8
