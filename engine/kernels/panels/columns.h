#pragma once
// PanelLayout::offset() for inner loops, without its divisions: a panel that is not 64 wide is the
// only one.

#include "engine/kernels/panels/panel_layout.h"

namespace edgeprune::panels {

/// One channel's columns, counted from one that is the first of a panel or shares its panel with
/// all that at() is asked for.
template <typename T>
struct Columns {
  T* data;
  int64_t panel;  ///< floats in one

  T* at(int64_t column) const {
    static_assert(PanelLayout::kWidth == 64);
    return data + (column >> 6) * panel + (column & 63);
  }
  Columns from(int64_t column) const { return {at(column), panel}; }
};

/// All channels' columns.
template <typename T>
class Panels {
 public:
  Panels(T* data, const PanelLayout& layout)
      : data_(data), width_(layout.width()), panel_(layout.channels * width_) {}
  Columns<T> channel(int64_t c) const { return {data_ + c * width_, panel_}; }

 private:
  T* data_;
  int64_t width_, panel_;
};

}  // namespace edgeprune::panels
