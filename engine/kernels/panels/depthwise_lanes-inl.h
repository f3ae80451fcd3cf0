// Depthwise kernels whose vectors hold the same pixel of several images, or of several channels
// (small maps of one image, transposed on the way). Taps that fall on the padding are left out.
// Included once per instruction set by Highway's foreach_target.h, hence no #pragma once.
#if defined(EDGEPRUNE_DEPTHWISE_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEPRUNE_DEPTHWISE_LANES_INL_H_
#undef EDGEPRUNE_DEPTHWISE_LANES_INL_H_
#else
#define EDGEPRUNE_DEPTHWISE_LANES_INL_H_
#endif

#include "engine/kernels/panels/depthwise-inl.h"
#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// A row of kWidth / kStride outputs: load(h, w) is an input, store(i, output) takes the outputs.
template <Activation kActivation, int kWidth, int kStride, typename Load, typename Store>
HWY_INLINE void convolve_row(int64_t height, int64_t out_row, const Filter& filter,
                             const Load& load, const Store& store) {
  constexpr int kOutputs = kWidth / kStride;
  Vec sums[kOutputs];
#pragma GCC unroll 4
  for (int i = 0; i < kOutputs; ++i) sums[i] = filter.bias;
#pragma GCC unroll 3
  for (int dy = 0; dy < 3; ++dy) {
    const int64_t row = out_row * kStride + dy - 1;
    if (row < 0 || row >= height) continue;
#pragma GCC unroll 4
    for (int w = 0; w < kWidth; ++w) {
      const Vec x = load(row, w);
#pragma GCC unroll 4
      for (int i = 0; i < kOutputs; ++i) {
        const int dx = w - i * kStride + 1;
        if (dx >= 0 && dx < 3) sums[i] = hn::MulAdd(x, filter.taps[3 * dy + dx], sums[i]);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kOutputs; ++i) store(i, activate<kActivation>(sums[i]));
}

inline bool vectors_are_images(const Conv2dShape& s) {
  return s.batch % kLanes == 0;
}

/// Maps kWidth wide; 0: any.
template <Activation kActivation, int kWidth, int kStride>
void convolve_images(const DepthwiseLayer& layer) {
  const F32 d;
  const Conv2dShape& s = layer.shape;
  const PanelLayout in = layer.in(), out = layer.out();
  const int64_t out_height = s.out_height(), out_width = s.out_width();
  for (int64_t c = layer.begin; c < layer.end; ++c) {
    const Filter filter = Filter::of_channel(layer, c);
    const Columns input(layer.input, in, c);
    const Columns output(layer.output, out, c);
    for (int64_t n = 0; n < s.batch; n += kLanes) {
      const auto load = [&](int64_t h, int64_t w) HWY_ATTR {
        return hn::LoadU(d, input.at((h * s.in_width + w) * s.batch + n));
      };
      for (int64_t oh = 0; oh < out_height; ++oh) {
        if constexpr (kWidth > 0) {
          convolve_row<kActivation, kWidth, kStride>(
              s.in_height, oh, filter, load, [&](int64_t ow, Vec v) HWY_ATTR {
                hn::StoreU(v, d, output.at((oh * out_width + ow) * s.batch + n));
              });
        } else {
          for (int64_t ow = 0; ow < out_width; ++ow) {
            Vec sum = filter.bias;
            for (int k = 0; k < 9; ++k) {
              const int64_t h = oh * s.stride + k / 3 - 1, w = ow * s.stride + k % 3 - 1;
              if (h < 0 || h >= s.in_height || w < 0 || w >= s.in_width) continue;
              sum = hn::MulAdd(load(h, w), filter.taps[k], sum);
            }
            hn::StoreU(activate<kActivation>(sum), d,
                       output.at((oh * out_width + ow) * s.batch + n));
          }
        }
      }
    }
  }
}

template <Activation kActivation>
void convolve_images(const DepthwiseLayer& layer) {
  const Conv2dShape& s = layer.shape;
  if (s.in_width == 4) {
    s.stride == 1 ? convolve_images<kActivation, 4, 1>(layer)
                  : convolve_images<kActivation, 4, 2>(layer);
  } else if (s.in_width == 2 && s.stride == 1) {
    convolve_images<kActivation, 2, 1>(layer);
  } else {
    convolve_images<kActivation, 0, 0>(layer);
  }
}

#if HWY_TARGET != HWY_SCALAR

/// Transposing 2x2 maps in blocks of four lanes leaves lane 4b + j with this channel of kLanes.
constexpr int channel_of_lane(int lane) {
  return lane % 4 * (kLanes / 4) + lane / 4;
}

/// kPixels pixels of kLanes channels, contiguous, as a vector a pixel.
template <int kPixels>
HWY_INLINE void load_pixels(const float* channels, Vec* HWY_RESTRICT pixels) {
  const F32 d;
  if constexpr (kPixels == 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) pixels[i] = hn::LoadU(d, channels + i * kLanes);
    transpose_blocks(pixels);
  } else {
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; p += kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        pixels[p + i] = hn::LoadU(d, channels + channel_of_lane(i) * kPixels + p);
      }
      transpose(pixels + p);
    }
  }
}

/// One image of 2x2 or 4x4 pixels to 2x2, kLanes channels at a time. Returns the first channel left
/// over.
template <Activation kActivation, int kSize>
int64_t convolve_lanes_of_channels(const DepthwiseLayer& layer) {
  constexpr int kPixels = kSize * kSize, kStride = kSize / 2;
  const F32 d;
  alignas(64) int32_t order[kLanes];
  for (int i = 0; i < kLanes; ++i) order[i] = channel_of_lane(i);
  const auto indices = hn::SetTableIndices(d, order);
  int64_t c = layer.begin;
  for (; c + kLanes <= layer.end; c += kLanes) {
    const auto load = [&](const float* channels) HWY_ATTR {
      return hn::TableLookupLanes(hn::LoadU(d, channels + c), indices);
    };
    Filter filter;
    filter.bias = load(layer.bias);
#pragma GCC unroll 9
    for (int k = 0; k < 9; ++k) filter.taps[k] = load(layer.taps + k * layer.shape.in_channels);
    Vec x[kPixels], y[4];
    load_pixels<kPixels>(layer.input + c * kPixels, x);  // the map is in the only panel
#pragma GCC unroll 2
    for (int oh = 0; oh < 2; ++oh) {
      convolve_row<kActivation, kSize, kStride>(
          kSize, oh, filter, [&](int64_t h, int64_t w) HWY_ATTR { return x[h * kSize + w]; },
          [&](int64_t ow, Vec v) HWY_ATTR { y[oh * 2 + ow] = v; });
    }
    transpose_blocks(y);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) hn::StoreU(y[i], d, layer.output + c * 4 + i * kLanes);
  }
  return c;
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
