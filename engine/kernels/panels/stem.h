#pragma once
// The first convolution: images in, panels (panel_layout.h) out.

#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// Whether stem_forward() covers a shape: kernel 3, stride 2, padding 1, one group.
bool stem_supported(const Conv2dShape& shape);

/// Floats of scratch a thread needs.
int64_t stem_scratch_size(const Conv2dShape& shape);

/// output = activation(conv(images, weights) + bias). images [N,H,W,I], output: panels
/// [first_panel, last_panel) of PanelLayout{O, H'*W'*N}; weights [O,I,3,3], bias [O]; scratch:
/// stem_scratch_size() floats a thread, whatever is in them.
void stem_forward(const Conv2dShape& shape, const float* images, const float* weights,
                  const float* bias, Activation activation, int64_t first_panel, int64_t last_panel,
                  float* scratch, const PanelTarget& output);
/// All panels, in their layout.
inline void stem_forward(const Conv2dShape& shape, const float* images, const float* weights,
                         const float* bias, Activation activation, float* scratch, float* output) {
  const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
  stem_forward(shape, images, weights, bias, activation, 0, out.count(), scratch,
               out.target(output));
}

}  // namespace edgeprune::panels
