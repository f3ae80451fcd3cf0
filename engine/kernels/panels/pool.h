#pragma once
// Global average pooling on panels (panel_layout.h).

#include <cstdint>

namespace edgeprune::panels {

/// The mean of each channel's pixels: PanelLayout{channels, pixels*batch} to
/// PanelLayout{channels, batch}.
void global_average_pool(int64_t channels, int64_t pixels, int64_t batch, const float* input,
                         float* output);

}  // namespace edgeprune::panels
