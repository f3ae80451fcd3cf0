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

/// Square maps, kSize a side.
template <Activation kActivation, int kSize, int kStride>
void convolve_images(const DepthwiseLayer& layer) {
  constexpr int kOut = kSize / kStride, kPixels = kSize * kSize;
  const F32 d;
  const Panels<const float> input(layer.input, layer.in());
  const Panels<float> output(layer.output, layer.out());
  const Filters filters(layer);
  const int64_t batch = layer.shape.batch;
  for (int64_t n = 0; n < batch; n += kLanes) {
    int64_t from[kPixels], to[kOut * kOut];  // offsets of the pixels
    const Columns first = input.channel(0);
    const Columns first_output = output.channel(0);
    for (int p = 0; p < kPixels; ++p) from[p] = first.at(p * batch + n) - first.data;
    for (int p = 0; p < kOut * kOut; ++p) {
      to[p] = first_output.at(p * batch + n) - first_output.data;
    }
    for (int64_t c = layer.begin, end = layer.end; c < end; ++c) {
      const Filter filter = filters.of_channel(c);
      const float* x = input.channel(c).data;
      float* y = output.channel(c).data;
#pragma GCC unroll 4
      for (int oh = 0; oh < kOut; ++oh) {
        convolve_row<kActivation, kSize, kStride>(
            kSize, oh, filter,
            [&](int64_t h, int w) HWY_ATTR { return hn::LoadU(d, x + from[h * kSize + w]); },
            [&](int ow, Vec v) HWY_ATTR { hn::StoreU(v, d, y + to[oh * kOut + ow]); });
      }
    }
  }
}

/// Maps of any size, row by row. Every input is loaded once for each row of outputs that it goes into
/// and meets its three taps there.
template <Activation kActivation, int kStride>
void convolve_images_of_any_size(const DepthwiseLayer& layer) {
  const F32 d;
  const Conv2dShape s = layer.shape;
  const Panels<const float> input(layer.input, layer.in());
  const Panels<float> output(layer.output, layer.out());
  const Filters filters(layer);
  const int64_t out_width = s.out_width(), out_height = s.out_height();
  for (int64_t c = layer.begin, end = layer.end; c < end; ++c) {
    const Filter filter = filters.of_channel(c);
    const Vec* taps = filter.taps;
    const Columns x = input.channel(c);
    const Columns y = output.channel(c);
    for (int64_t oh = 0; oh < out_height; ++oh) {
      const int64_t row = oh * kStride * s.in_width;
      const bool above = oh > 0, below = oh * kStride + 1 < s.in_height;
      // use(row of taps, input) for a column of up to three inputs
      const auto for_each_input = [&](int64_t at, const auto& use) HWY_ATTR {
        if (above) use(0, hn::LoadU(d, x.at(at - s.in_width * s.batch)));
        use(3, hn::LoadU(d, x.at(at)));
        if (below) use(6, hn::LoadU(d, x.at(at + s.in_width * s.batch)));
      };
      for (int64_t n = 0; n < s.batch; n += kLanes) {
        int64_t at = row * s.batch + n;
        const int64_t to = oh * out_width * s.batch + n;
        Vec sum = filter.bias;
        if constexpr (kStride == 1) {  // the input is the middle one of the next output
          Vec next = filter.bias;
          for (int64_t w = 0; w < s.in_width; ++w, at += s.batch) {
            Vec after = filter.bias;
            for_each_input(at, [&](int k, Vec v) HWY_ATTR {
              sum = hn::MulAdd(v, taps[k + 2], sum);
              next = hn::MulAdd(v, taps[k + 1], next);
              after = hn::MulAdd(v, taps[k], after);
            });
            if (w > 0) hn::StoreU(activate<kActivation>(sum), d, y.at(to + (w - 1) * s.batch));
            sum = next;
            next = after;
          }
          hn::StoreU(activate<kActivation>(sum), d, y.at(to + (out_width - 1) * s.batch));
        } else {
          for (int64_t w = 0; w < out_width; ++w, at += s.batch) {
            Vec next = filter.bias;
            for_each_input(at,
                           [&](int k, Vec v) HWY_ATTR { sum = hn::MulAdd(v, taps[k + 1], sum); });
            at += s.batch;
            if (2 * w + 1 < s.in_width) {
              for_each_input(at, [&](int k, Vec v) HWY_ATTR {
                sum = hn::MulAdd(v, taps[k + 2], sum);
                next = hn::MulAdd(v, taps[k], next);
              });
            }
            hn::StoreU(activate<kActivation>(sum), d, y.at(to + w * s.batch));
            sum = next;
          }
        }
      }
    }
  }
}

template <Activation kActivation>
void convolve_images(const DepthwiseLayer& layer) {
  const Conv2dShape& s = layer.shape;
  if (s.in_height == 4 && s.in_width == 4) {
    return s.stride == 1 ? convolve_images<kActivation, 4, 1>(layer)
                         : convolve_images<kActivation, 4, 2>(layer);
  }
  if (s.in_height == 2 && s.in_width == 2 && s.stride == 1) {
    return convolve_images<kActivation, 2, 1>(layer);
  }
  s.stride == 1 ? convolve_images_of_any_size<kActivation, 1>(layer)
                : convolve_images_of_any_size<kActivation, 2>(layer);
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
  const float* input = layer.input;  // the only panel
  float* output = layer.output;
  const Filters filters(layer);
  int64_t c = layer.begin;
  for (const int64_t end = layer.end; c + kLanes <= end; c += kLanes) {
    const Filter filter = filters.by([&](const float* values) HWY_ATTR {
      return hn::TableLookupLanes(hn::LoadU(d, values + c), indices);
    });
    Vec x[kPixels], y[4];
    load_pixels<kPixels>(input + c * kPixels, x);
#pragma GCC unroll 2
    for (int oh = 0; oh < 2; ++oh) {
      convolve_row<kActivation, kSize, kStride>(
          kSize, oh, filter, [&](int64_t h, int w) HWY_ATTR { return x[h * kSize + w]; },
          [&](int ow, Vec v) HWY_ATTR { y[oh * 2 + ow] = v; });
    }
    transpose_blocks(y);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) hn::StoreU(y[i], d, output + c * 4 + i * kLanes);
  }
  return c;
}

#endif

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
