#pragma once
// In and out of panels (panel_layout.h), and from single images to a batch.

#include <cstdint>

namespace edgeprune::panels {

/// Images [batch,pixels,channels] to PanelLayout{channels, pixels*batch}.
void to_panels(int64_t batch, int64_t pixels, int64_t channels, const float* images, float* panels);

/// PanelLayout{channels, pixels*batch} to images [batch,pixels,channels]; logits are images of one
/// pixel.
void from_panels(int64_t batch, int64_t pixels, int64_t channels, const float* panels,
                 float* images);

/// `count` images of their own, each PanelLayout{channels, pixels} and that many floats behind the
/// one before, to one PanelLayout{channels, pixels*count}.
void gather_images(int64_t count, int64_t pixels, int64_t channels, const float* images,
                   float* panels);

}  // namespace edgeprune::panels
