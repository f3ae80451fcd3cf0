#pragma once
// How numbers are written as integers: the one scheme of every integer kernel, on every instruction
// set (Jacob et al. 2018, "Quantization and training of neural networks for efficient
// integer-arithmetic-only inference"; Krishnamoorthi 2018, "Quantizing deep convolutional networks").
//
// Activations are bytes without sign, one scale and zero point a tensor (grid.h): x = scale * (q - zero_point).
// What ends in ReLU is never negative: zero point 0, values up to kHighRelu. What ends in nothing
// (MobileNetV2's narrow maps) takes all 256 values about zero point 128.
// Weights are bytes with sign, one scale an output channel, -127 to 127, zero point 0: w = scale_o * q,
// so that a weight that is zero stays zero.
// A product's sum is then an integer, x and w standing for
//   sum(scale_x (qx - z) scale_o qw) = scale_x scale_o (sum(qx qw) - z sum(qw)),
// of which -z sum(qw) and the float bias are known beforehand: they are the 32-bit `bias`. The sum of
// products is exact: neither 16 nor 32 bits overflow, which is proven where weights are packed.
// Padding has the value z, which stands for zero.
// The output's byte is requantised from the sum:
//   q = clamp(round(float(sum) * multiplier_o) + zero_point, lowest, highest),
// multiplier_o = scale_x scale_o / scale_y, round to nearest, ties to even. A conversion, a product
// and a rounding, each defined by IEEE 754 and none fused with another: the same bits everywhere.
// ReLU and ReLU6 are the output's range. What bends (hard_swish, hard_sigmoid) is computed between the
// product and the rounding, in floats (Ending): the sum is rounded once, not to a grid of its own before a
// table of bytes, and costs a sum, two products and two comparisons a vector.
//
// Why kHighRelu is 127 and not 255: AVX2 multiplies bytes in pairs whose sums it saturates at 16 bits
// (pmaddubsw). 2 * 127 * 127 = 32,258 fits; with 255 it would not, and would be wrong or a quarter slower.
// Where 255 pays (narrow maps, the pooled map) it is used, and the packers see from the weights at hand
// whether pairs still fit.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/kernels/activation.h"
#include "engine/kernels/grid.h"

namespace edgeprune {

inline constexpr int kHighRelu = 127;
inline constexpr int kHighWeight = 127;

/// A tensor of the output's shape that is added to it before it is rounded:
/// multiplier * (q - zero_point), multiplier = its scale / the output's. Null data: none.
struct QuantizedResidual {
  const uint8_t* data = nullptr;
  float multiplier = 0.0f;
  int zero_point = 0;
};

/// A requantised number, from a float that is not far beyond 32 bits.
inline uint8_t round_to_byte(float value, const Grid& output) {
  const long rounded = std::lrintf(value);  // to nearest, ties to even
  return static_cast<uint8_t>(
      std::clamp<long>(rounded + output.zero_point, output.lowest, output.highest));
}

/// What a sum, times its multiplier, becomes: activated, then a byte of the grid. From a grid alone: not activated,
/// or by an activation that is nothing but the grid's range.
struct Ending {
  Ending() = default;
  Ending(const Grid& output, Activation activation = Activation::none) : grid(output) {
    const ActivationForm form = form_of(activation);
    if (form.kind != ActivationForm::Kind::gate) return;
    gate = true, times_value = form.times_input;
    // Values are in units of the grid's scale, and so is what they become.
    const float unit = times_value ? form.scale : form.scale / grid.scale;
    slope = grid.scale * unit, offset = form.shift * unit;
    low = form.low * unit, high = form.high * unit;
  }
  /// Operation by operation, none fused: compiled into the caller, which says so (-ffp-contract=off).
  [[gnu::always_inline]] float activated(float value) const {
    if (!gate) return value;
    const float product = value * slope;
    const float moved = product + offset;
    const float inside = std::min(std::max(moved, low), high);
    return times_value ? value * inside : inside;
  }

  Grid grid;
  bool gate = false, times_value = false;
  float slope = 0.0f, offset = 0.0f, low = 0.0f, high = 0.0f;  ///< of gates
};

[[gnu::always_inline]] inline uint8_t round_to_byte(float value, const Ending& output) {
  return round_to_byte(output.activated(value), output.grid);
}

/// Activations lie channels-last, [N,H,W,C], with as many bytes a pixel: whole pieces of 16, of which
/// kernels read and write all; those behind the channels weigh nothing. Channels-last, because four
/// neighbours along the channels are what the dot products of VNNI and NEON sum, and because all taps
/// of a depthwise convolution lie under one another.
constexpr int64_t pixel_bytes(int64_t channels) {
  return (channels + 15) / 16 * 16;
}
/// Of images, which have few channels.
constexpr int64_t image_pixel_bytes(int64_t channels) {
  return (channels + 3) / 4 * 4;
}

}  // namespace edgeprune
