#pragma once
// Max pooling and the scaling of channels on panels (panel_layout.h). What works element by element
// (activations, add) takes panels as they are: engine/kernels/simd/elementwise.h.

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// As simd::max_pool(), from PanelLayout{C, H*W*N} to PanelLayout{C, H'*W'*N}. scratch:
/// max_pool_scratch_size(shape) floats for each thread.
void max_pool(const Conv2dShape& shape, const float* input, float* scratch, float* output);
int64_t max_pool_scratch_size(const Conv2dShape& shape);

/// output = input, PanelLayout{channels, pixels*batch}, each channel of each image times its own of
/// factors, PanelLayout{channels, batch}: the end of squeeze-and-excite. output may be input.
void scale_channels(int64_t channels, int64_t pixels, int64_t batch, const float* input,
                    const float* factors, float* output);

}  // namespace edgeprune::panels
