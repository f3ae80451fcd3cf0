#pragma once
// PyTorch's default layout, [N,C,H,W], and ours, [N,H,W,C].

#include "engine/base/check.h"
#include "engine/tensor/tensor.h"

namespace edgeprune::testing {

/// [N,rows,columns] to [N,columns,rows].
inline void transpose_planes(const float* from, float* to, int64_t planes, int64_t rows,
                             int64_t columns) {
  for (int64_t n = 0; n < planes; ++n, from += rows * columns, to += rows * columns) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
    }
  }
}

inline Tensor nchw_to_nhwc(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  require(s.rank() == 4, "nchw_to_nhwc", "expected [N,C,H,W], got {}", s.to_string());
  Tensor result({s[0], s[2], s[3], s[1]});
  transpose_planes(tensor.data(), result.data(), s[0], s[1], s[2] * s[3]);
  return result;
}

inline Tensor nhwc_to_nchw(const Tensor& tensor) {
  const Shape& s = tensor.shape();
  require(s.rank() == 4, "nhwc_to_nchw", "expected [N,H,W,C], got {}", s.to_string());
  Tensor result({s[0], s[3], s[1], s[2]});
  transpose_planes(tensor.data(), result.data(), s[0], s[1] * s[2], s[3]);
  return result;
}

}  // namespace edgeprune::testing
