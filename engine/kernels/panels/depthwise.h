#pragma once
// Depthwise 3x3 convolution on panels (panel_layout.h).

#include <bit>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// Floats of scratch a thread needs.
int64_t depthwise_scratch_size(const Conv2dShape& shape);

/// Whether the rows of a single image's map divide vectors or are whole ones, for which there are
/// kernels that nothing beats.
inline bool depthwise_in_whole_vectors(const Conv2dShape& s) {
  const auto size = static_cast<uint64_t>(s.in_width);
  return s.in_height == s.in_width && std::has_single_bit(size);
}

/// Whether the kernel below covers a shape.
bool depthwise_supported(const Conv2dShape& shape);

/// output = activation(depthwise(input) + bias). Padding 1, stride 1 or 2. input: PanelLayout{C,
/// H*W*N}; output: PanelLayout{C, H'*W'*N}; taps [9,C] (simd::filters_to_taps), bias [C]; scratch:
/// depthwise_scratch_size() floats a thread, whatever is in them.
void depthwise_forward(const Conv2dShape& shape, const float* input, const float* taps,
                       const float* bias, Activation activation, float* scratch, float* output);

/// Channels in planes: channel c's input column first_column is at data + c * channel, the others in
/// one piece beside it, with zeros for the rows above and below the map.
struct DepthwisePlanes {
  const float* data;
  int64_t channel;
  int64_t first_column;
};

/// The input columns that panels [first, last) of the output depend on; may reach half a row beyond
/// the map on either side. Vectors read, but do not use, up to kDepthwiseOverhang columns more.
struct InputColumns {
  int64_t begin, end;
};
InputColumns depthwise_inputs(const Conv2dShape& shape, int64_t first, int64_t last);
inline constexpr int64_t kDepthwiseOverhang = 48;

/// Floats of scratch for so many panels of output.
int64_t depthwise_planes_scratch_size(const Conv2dShape& shape, int64_t panels);

/// Panels [first, last) of depthwise_forward()'s output, on the calling thread, from planes that
/// hold depthwise_inputs() of them.
void depthwise_from_planes(const Conv2dShape& shape, const DepthwisePlanes& planes,
                           const float* taps, const float* bias, Activation activation,
                           int64_t first, int64_t last, float* scratch, float* output);

}  // namespace edgeprune::panels
