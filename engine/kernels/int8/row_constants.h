#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "engine/base/buffer.h"

namespace edgeprune::int8 {

/// What each row's sums begin with and are multiplied by, in the order of the kernel; zeros for rows
/// that are none. Whole vectors of it lie in one cache line.
struct RowConstants {
  std::shared_ptr<float[]> multipliers, biases;

  RowConstants() = default;
  explicit RowConstants(int64_t rows)
      : multipliers(allocate_floats(static_cast<size_t>(rows))),
        biases(allocate_floats(static_cast<size_t>(rows))) {
    std::fill_n(multipliers.get(), rows, 0.0f);
    std::fill_n(bias(), rows, 0);
  }
  int32_t* bias() const { return reinterpret_cast<int32_t*>(biases.get()); }
  void set(int64_t at, int32_t row_bias, float multiplier) const {
    bias()[at] = row_bias;
    multipliers[at] = multiplier;
  }
};

}  // namespace edgeprune::int8
