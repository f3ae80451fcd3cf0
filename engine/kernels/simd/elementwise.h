#pragma once
// Element by element, bound by memory.

#include <cstdint>

#include "engine/kernels/activation.h"
#include "engine/kernels/grid.h"

namespace edgeprune::simd {

/// output = a + b; output may be either of them.
void add(const float* a, const float* b, int64_t count, float* output);

/// output = activation(input); output may be input. NaN stays NaN.
void activate(Activation activation, const float* input, int64_t count, float* output);
/// The gradient of `input` from that of the output, which may be the same buffer. Zero where the
/// activation clips, its end points included (as PyTorch's).
void activation_gradient(Activation activation, const float* input, const float* grad_output,
                         int64_t count, float* grad_input);

/// output = the values on the grid that are nearest to y = activation(input), grid.value(grid.quantize(y)); output may be
/// input.
void round_to_grid(Activation activation, const Grid& grid, const float* input, int64_t count,
                   float* output);
/// As activation_gradient() where y lies in the grid's range or half a step beyond, which rounds to its ends; else zero.
void round_to_grid_gradient(Activation activation, const Grid& grid, const float* input,
                            const float* grad_output, int64_t count, float* grad_input);

/// Images of as many pixels of as many channels, channels-last.
struct ChannelMap {
  int64_t images, pixels, channels;
};

/// output = input, each channel of each image times its own of factors [images,channels]; output may
/// be input. By the gradient of the output instead of input: the gradient of input.
void scale_channels(const ChannelMap& map, const float* input, const float* factors, float* output);
/// grad_factors[image,channel] = sum(input * grad_output) over the pixels.
void scale_channels_gradient(const ChannelMap& map, const float* input, const float* grad_output,
                             float* grad_factors);

}  // namespace edgeprune::simd
