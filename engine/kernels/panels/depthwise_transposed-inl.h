// Depthwise kernel for single images whose vectors hold the same pixel of several channels: columns
// of panels are transposed to that and back. Included once per instruction set by Highway's foreach_target.h, hence no
// #pragma once.
#if defined(EDGEPRUNE_DEPTHWISE_TRANSPOSED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_TRANSPOSED_INL_H_
#undef EDGEPRUNE_DEPTHWISE_TRANSPOSED_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_TRANSPOSED_INL_H_
#endif

#include <algorithm>

#include "engine/kernels/panels/depthwise-inl.h"
#include "engine/kernels/panels/transpose-inl.h"
#include "engine/kernels/simd/depthwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

/// Columns of kLanes channels as a vector of channels each, in whole vectors of columns.
constexpr int64_t transposed_columns(int64_t columns) {
  return (columns + kLanes - 1) / kLanes * kLanes;
}
inline int64_t transposed_scratch_size(const Conv2dShape& s) {
  const int64_t in = transposed_columns(s.in_height * s.in_width);
  const int64_t out = transposed_columns(s.out_height() * s.out_width());
  return (in + out + s.in_width + 9) * kLanes;
}

/// Whether convolve_transposed() is faster than convolve_any(). Longer vectors take more to transpose,
/// and planes leave less of them unused the larger the map is.
inline bool transposing_pays(const Conv2dShape& s) {
  constexpr int64_t kFloats = 1 << 16;  // stay in the second-level cache beside the panels
  if (s.batch > 1 || PanelLayout{1, s.out_height() * s.out_width()}.width() < kLanes ||
      transposed_scratch_size(s) > kFloats) {
    return false;
  }
  if (kLanes < 16) return true;
  return s.stride == 1 ? s.in_height * s.in_width <= kLanes : s.out_width() <= kLanes / 2;
}

/// kLanes vectors, `from_step` floats apart, transposed.
HWY_INLINE void transpose_block(const float* from, int64_t from_step, float* to, int64_t to_step) {
  const F32 d;
  Vec block[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) block[i] = hn::LoadU(d, from + i * from_step);
  transpose(block);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) hn::StoreU(block[i], d, to + i * to_step);
}

/// One image of kLanes channels, a vector a pixel. zeros: a row of them.
template <int kStride, typename Activate>
void convolve_vector(const Conv2dShape& s, const float* pixels, const float* zeros,
                     const float* taps, const float* bias, const Activate& activate,
                     float* output) {
  const int64_t row = s.in_width * kLanes, out_row = s.out_width() * kLanes;
  for (int64_t oh = 0; oh < s.out_height(); ++oh) {
    simd::HWY_NAMESPACE::Rows<3> rows{{}, s.in_width, kLanes};
    for (int64_t k = 0; k < 3; ++k) {
      const int64_t ih = oh * kStride - 1 + k;
      rows.row[k] = ih >= 0 && ih < s.in_height ? pixels + ih * row : zeros;
    }
    simd::HWY_NAMESPACE::forward_row<kStride>(rows, taps, bias, activate, output + oh * out_row);
  }
}

/// Channels of a single image, kLanes at a time. Returns the first channel left over.
template <Activation kActivation, int kStride>
int64_t convolve_transposed(const DepthwiseLayer& layer) {
  const F32 d;
  const Conv2dShape s = layer.shape;
  const PanelLayout in = layer.in(), out = layer.out();
  const Panels<const float> input(layer.input, in);
  const Panels<float> output(layer.output, out);
  const int64_t in_row = s.in_width * kLanes;
  float* pixels = layer.scratch;
  float* results = pixels + transposed_columns(in.columns) * kLanes;
  float* zeros = results + transposed_columns(out.columns) * kLanes;
  float* taps = zeros + in_row;
  std::fill_n(zeros, in_row, 0.0f);
  int64_t c = layer.begin;
  for (; c + kLanes <= layer.end; c += kLanes) {
    for (int64_t column = 0; column < in.columns; column += kLanes) {
      transpose_block(input.channel(c).at(column), in.width(), pixels + column * kLanes, kLanes);
    }
    for (int k = 0; k < 9; ++k) {
      hn::StoreU(hn::LoadU(d, layer.taps + k * s.in_channels + c), d, taps + k * kLanes);
    }
    convolve_vector<kStride>(
        s, pixels, zeros, taps, layer.bias + c,
        [](Vec v) HWY_ATTR { return activate<kActivation>(v); }, results);
    for (int64_t column = 0; column < out.columns; column += kLanes) {
      transpose_block(results + column * kLanes, kLanes, output.channel(c).at(column), out.width());
    }
  }
  return c;
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
