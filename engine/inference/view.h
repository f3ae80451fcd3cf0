#pragma once
// A map in memory, as the steps of a plan see it.

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/base/check.h"
#include "engine/base/names.h"
#include "engine/kernels/grid.h"

namespace edgeprune::inference {

/// How a map stands in memory: layout and number type.
enum class Format {
  channels_last,  ///< [N,H,W,C] of float32: what images and logits stand in
  panels,         ///< PanelLayout of float32, one column a pixel, images innermost
  bytes,          ///< [N,H,W,pixel_bytes(C)] of uint8 (kernels/quantization.h)
};
inline constexpr Named<Format> kFormats[] = {{Format::channels_last, "channels-last float32"},
                                             {Format::panels, "panels float32"},
                                             {Format::bytes, "channels-last uint8"}};
static_assert(in_order(kFormats));

/// Bytes of a number in that format.
constexpr int64_t number_bytes(Format format) {
  return format == Format::bytes ? int64_t{sizeof(uint8_t)} : int64_t{sizeof(float)};
}

/// Where a map begins, how it stands there and, of integers, what they stand for. Sizes are the
/// steps', which know them from the start.
template <typename Byte>
struct BasicView {
  Byte* data = nullptr;  ///< null: there is no such map
  Format format = Format::channels_last;
  Grid grid = {};  ///< of Format::bytes

  template <typename Number>
  using Of = std::conditional_t<std::is_const_v<Byte>, const Number, Number>;

  /// Throws std::invalid_argument if the numbers are integers; null if there is no map.
  Of<float>* floats() const {
    check_type(format != Format::bytes, "floats");
    return reinterpret_cast<Of<float>*>(data);
  }
  /// Likewise if they are floats.
  Of<uint8_t>* integers() const {
    check_type(format == Format::bytes, "integers");
    return reinterpret_cast<Of<uint8_t>*>(data);
  }

 private:
  void check_type(bool right, const char* wanted) const {
    require(right || data == nullptr, "Step", "expected {}, got a map in {}", wanted,
            name_of(kFormats, format));
  }
};
using View = BasicView<const std::byte>;
using MutableView = BasicView<std::byte>;

inline View view_of(const float* values, Format format = Format::channels_last) {
  return {reinterpret_cast<const std::byte*>(values), format};
}
inline MutableView view_of(float* values, Format format = Format::channels_last) {
  return {reinterpret_cast<std::byte*>(values), format};
}
inline View constant(const MutableView& view) {
  return {view.data, view.format, view.grid};
}

}  // namespace edgeprune::inference
