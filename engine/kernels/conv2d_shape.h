#pragma once

#include <cstdint>
#include <tuple>

#include "engine/kernels/activation.h"

namespace edgeprune {

/// Everything a convolution kernel needs to know. Square kernels; activations [N,H,W,C], weights
/// [O,I/groups,k,k].
struct Conv2dShape {
  int64_t batch = 1;
  int64_t in_height = 1, in_width = 1;
  int64_t in_channels = 1, out_channels = 1;
  int64_t kernel = 1, stride = 1, padding = 0, groups = 1;

  int64_t out_height() const { return (in_height + 2 * padding - kernel) / stride + 1; }
  int64_t out_width() const { return (in_width + 2 * padding - kernel) / stride + 1; }
  bool depthwise() const { return groups > 1 && groups == in_channels && groups == out_channels; }
  bool pointwise() const { return kernel == 1 && stride == 1 && padding == 0 && groups == 1; }
  int64_t input_count() const { return batch * in_height * in_width * in_channels; }
  int64_t output_count() const { return batch * out_height() * out_width() * out_channels; }
  int64_t weight_count() const { return out_channels * (in_channels / groups) * kernel * kernel; }
  int64_t multiply_adds() const {
    return output_count() * (in_channels / groups) * kernel * kernel;
  }
  auto operator<=>(const Conv2dShape&) const = default;
};

}  // namespace edgeprune
