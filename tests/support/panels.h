#pragma once
// Matrices and images in and out of the sparse path's panels.

#include <cmath>

#include "engine/kernels/panels/panel_layout.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::testing {

/// [channels,columns] to panels. The padding is NaN: a kernel that lets it into a result is found
/// out.
inline Tensor to_panels(const Tensor& matrix) {
  const PanelLayout panels{matrix.dim(0), matrix.dim(1)};
  Tensor result({panels.size()}, NAN);
  for (int64_t c = 0; c < panels.channels; ++c) {
    for (int64_t column = 0; column < panels.columns; ++column) {
      result.data()[panels.offset(c, column)] = matrix.data()[c * panels.columns + column];
    }
  }
  return result;
}

inline Tensor from_panels(const Tensor& data, const PanelLayout& panels) {
  Tensor matrix({panels.channels, panels.columns});
  for (int64_t c = 0; c < panels.channels; ++c) {
    for (int64_t column = 0; column < panels.columns; ++column) {
      matrix.data()[c * panels.columns + column] = data.data()[panels.offset(c, column)];
    }
  }
  return matrix;
}

/// [N,H,W,C] to the matrix [C,H*W*N], images innermost.
inline Tensor images_to_matrix(const Tensor& images) {
  const int64_t batch = images.dim(0), pixels = images.dim(1) * images.dim(2),
                channels = images.dim(3);
  Tensor matrix({channels, pixels * batch});
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < channels; ++c) {
        matrix.data()[(c * pixels + p) * batch + n] =
            images.data()[(n * pixels + p) * channels + c];
      }
    }
  }
  return matrix;
}

}  // namespace edgeprune::testing
