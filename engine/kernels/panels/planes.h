#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/kernels/conv2d_shape.h"

namespace edgeprune::panels {

/// A channel's columns (panel_layout.h) in one piece, with zeros in front and behind that stand for
/// the rows of padding above and below the map.
struct PlaneShape {
  explicit PlaneShape(const Conv2dShape& s)
      : row(s.in_width * s.batch),
        columns(s.in_height * row),
        margin(whole_lines(row + s.batch + kOverhang)) {}

  int64_t size() const { return margin + whole_lines(columns) + margin; }

  int64_t row, columns;
  int64_t margin;  ///< floats in front of the first column, and at least so many behind the last

 private:
  static constexpr int64_t kOverhang = 48;  ///< what vectors read beyond the last output's inputs
  static int64_t whole_lines(int64_t floats) { return (floats + 15) / 16 * 16; }
};

}  // namespace edgeprune::panels
