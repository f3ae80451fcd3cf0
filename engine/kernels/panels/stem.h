#pragma once
// The first convolution: images in, panels (panel_layout.h) out.

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// Whether stem_forward() covers a shape: kernel 3, stride 2, padding 1, one group.
bool stem_supported(const Conv2dShape& shape);

/// Floats of scratch a thread needs.
int64_t stem_scratch_size(const Conv2dShape& shape);

/// output = activation(conv(images, weights) + bias). images [N,H,W,I], output PanelLayout{O,
/// H'*W'*N}; weights [O,I,3,3], bias [O]; scratch: stem_scratch_size() floats a thread, whatever is
/// in them.
void stem_forward(const Conv2dShape& shape, const float* images, const float* weights,
                  const float* bias, Activation activation, float* scratch, float* output);

}  // namespace edgeprune::panels
