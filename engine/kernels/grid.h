#pragma once
// The numbers that an integer can stand for.

#include <algorithm>
#include <cmath>

namespace edgeprune {

/// An affine quantisation (Jacob et al. 2018, eq. 1): the whole number q, from `lowest` to `highest`,
/// stands for scale * (q - zero_point).
struct Grid {
  float scale = 1.0f;
  int zero_point = 0, lowest = 0, highest = 255;

  /// The q of the nearest value, ties to even; the nearer end of the range for values beyond it.
  int quantize(float x) const {
    const float q = std::nearbyint(x / scale) + static_cast<float>(zero_point);
    return static_cast<int>(std::clamp(q, static_cast<float>(lowest), static_cast<float>(highest)));
  }
  float value(int q) const { return scale * static_cast<float>(q - zero_point); }
  float least() const { return value(lowest); }
  float greatest() const { return value(highest); }
  bool operator==(const Grid&) const = default;
};

}  // namespace edgeprune
