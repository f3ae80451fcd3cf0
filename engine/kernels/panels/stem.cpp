#include "engine/kernels/panels/stem.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/kernels/panels/stem_panel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/stem.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::Full;
using simd::HWY_NAMESPACE::Partial;
using simd::HWY_NAMESPACE::Vec;
using simd::HWY_NAMESPACE::with_activation;

inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));

/// Any shape, value by value.
void gather_patches(const StemPanel& panel) {
  const Conv2dShape& s = panel.shape;
  const int64_t columns = s.out_height() * s.out_width() * s.batch;
  for (int64_t i = 0; i < panel.width; ++i) {
    const int64_t column = std::min(panel.first + i, columns - 1);  // the padding's are not read
    const int64_t n = column % s.batch, pixel = column / s.batch;
    const int64_t top = pixel / s.out_width() * 2 - 1, left = pixel % s.out_width() * 2 - 1;
    for (int64_t k = 0; k < panel.taps(); ++k) {
      const int64_t h = top + k % 9 / 3, w = left + k % 3;
      const bool inside = h >= 0 && h < s.in_height && w >= 0 && w < s.in_width;
      const int64_t row = (n * s.in_height + h) * s.in_width + w;
      panel.patches[k * StemPanel::kPatchStride + i] =
          inside ? panel.images[row * s.in_channels + k / 9] : 0.0f;
    }
  }
}

#if HWY_TARGET != HWY_SCALAR

struct Pixels {
  Vec channels[4];
};

/// kLanes pixels, channels apart.
template <int kChannels>
HWY_INLINE Pixels load_pixels(const float* from) {
  const F32 d;
  Pixels x{};
  if constexpr (kChannels == 1) x.channels[0] = hn::LoadU(d, from);
  if constexpr (kChannels == 2) hn::LoadInterleaved2(d, from, x.channels[0], x.channels[1]);
  if constexpr (kChannels == 3) {
    hn::LoadInterleaved3(d, from, x.channels[0], x.channels[1], x.channels[2]);
  }
  if constexpr (kChannels == 4) {
    hn::LoadInterleaved4(d, from, x.channels[0], x.channels[1], x.channels[2], x.channels[3]);
  }
  return x;
}

/// Two vectors of pixels, channels apart; zeros behind the `left` pixels that the row still has.
template <int kChannels>
HWY_INLINE void load_two(const float* from, int64_t left, Pixels& low, Pixels& high) {
  HWY_ALIGN float row_end[2 * kLanes * kChannels];
  if (left < 2 * kLanes) {
    std::fill(std::copy_n(from, left * kChannels, row_end), std::end(row_end), 0.0f);
    from = row_end;
  }
  low = load_pixels<kChannels>(from);
  high = load_pixels<kChannels>(from + kLanes * kChannels);
}

/// One image, rows of outputs a vector at a time. A vector may end in what comes behind its row,
/// which is written afterwards.
template <int kChannels>
void gather_rows(const StemPanel& panel) {
  const F32 d;
  const Conv2dShape s = panel.shape;
  const int64_t out_width = s.out_width(), stride = StemPanel::kPatchStride;
  const int64_t last = std::min(panel.first + panel.width, s.out_height() * out_width);
  for (int64_t column = panel.first; column < last;) {
    const int64_t oh = column / out_width, begin = column - oh * out_width;
    const int64_t count = std::min(last - column, out_width - begin);
    float* patches = panel.patches + (column - panel.first);
    for (int64_t dy = 0; dy < 3; ++dy, patches += 3 * stride) {
      const int64_t h = 2 * oh + dy - 1;
      const bool inside = h >= 0 && h < s.in_height;
      const float* row = panel.images + h * s.in_width * kChannels;
      for (int c = 0; c < kChannels; ++c) {  // what the first output's left taps meet
        patches[c * 9 * stride] = inside && begin > 0 ? row[(2 * begin - 1) * kChannels + c] : 0.0f;
      }
      for (int64_t i = 0; i < count; i += kLanes) {
        Pixels low{}, high{};
        if (inside) {
          const int64_t pixel = 2 * (begin + i);
          load_two<kChannels>(row + pixel * kChannels, s.in_width - pixel, low, high);
        } else {
#pragma GCC unroll 4
          for (int c = 0; c < kChannels; ++c) low.channels[c] = high.channels[c] = hn::Zero(d);
        }
#pragma GCC unroll 4
        for (int c = 0; c < kChannels; ++c) {
          float* left = patches + c * 9 * stride + i;
          const Vec odd = hn::ConcatOdd(d, high.channels[c], low.channels[c]);
          hn::StoreU(odd, d, left + 1);
          hn::StoreU(hn::ConcatEven(d, high.channels[c], low.channels[c]), d, left + stride);
          hn::StoreU(odd, d, left + 2 * stride);
        }
      }
    }
    column += count;
  }
}

#endif

void gather(const StemPanel& panel) {
#if HWY_TARGET != HWY_SCALAR
  const int64_t channels = panel.shape.in_channels;
  if (panel.shape.batch == 1 && channels <= 4) {
    return channels == 1   ? gather_rows<1>(panel)
           : channels == 2 ? gather_rows<2>(panel)
           : channels == 3 ? gather_rows<3>(panel)
                           : gather_rows<4>(panel);
  }
#endif
  gather_patches(panel);
}

/// kRows output channels x kVectors vectors of columns from (channel, column) on.
template <int kRows, int kVectors, typename Access, typename Activate>
HWY_INLINE void multiply_tile(const StemPanel& panel, const Activate& activate,
                              const Access& access, int64_t channel, int64_t column) {
  const F32 d;
  const int64_t taps = panel.taps(), stride = StemPanel::kPatchStride;
  const float* weights = panel.weights + channel * taps;
  const float* patches = panel.patches + column;
  Vec sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Set(d, panel.bias[channel + r]);
  }
  for (int64_t k = 0; k < taps; ++k) {
    Vec x[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) x[v] = access.load(patches + k * stride + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec weight = hn::Set(d, weights[r * taps + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(weight, x[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* to = panel.output + (channel + r) * panel.output_row + column;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      access.store(activate(sums[r][v]), to + v * kLanes);
    }
  }
}

template <int kVectors, typename Access, typename Activate>
HWY_INLINE void multiply_columns(const StemPanel& panel, const Activate& activate,
                                 const Access& access, int64_t column) {
  const int64_t channels = panel.shape.out_channels;
  int64_t o = 0;
  for (; o + 4 <= channels; o += 4) {
    multiply_tile<4, kVectors>(panel, activate, access, o, column);
  }
  for (; o < channels; ++o) multiply_tile<1, kVectors>(panel, activate, access, o, column);
}

template <typename Activate>
void compute(const StemPanel& panel, const Activate& activate) {
  constexpr int kVectors = kLanes == 16 ? 4 : 2;  // 4 x 4 sums in 32 registers, 4 x 2 in 16
  gather(panel);
  int64_t column = 0;
  for (; column + kVectors * kLanes <= panel.width; column += kVectors * kLanes) {
    multiply_columns<kVectors>(panel, activate, Full{}, column);
  }
  for (; column < panel.width; column += kLanes) {
    const int64_t lanes = std::min<int64_t>(kLanes, panel.width - column);
    multiply_columns<1>(panel, activate, Partial(static_cast<size_t>(lanes)), column);
  }
}

void compute_stem_panel(const StemPanel& panel, Activation activation) {
  with_activation(form_of(activation),
                  [&](const auto& activate) HWY_ATTR { compute(panel, activate); });
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(compute_stem_panel);

bool stem_supported(const Conv2dShape& shape) {
  return shape.kernel == 3 && shape.stride == 2 && shape.padding == 1 && shape.groups == 1;
}

int64_t stem_scratch_size(const Conv2dShape& shape) {
  return (shape.in_channels * 9 + 1) * StemPanel::kPatchStride;
}

void stem_forward(const Conv2dShape& shape, const float* images, const float* weights,
                  const float* bias, Activation activation, int64_t first_panel, int64_t last_panel,
                  float* scratch, const PanelTarget& output) {
  const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
  parallel_for(last_panel - first_panel, 1, [&](int64_t begin, int64_t end, int part) {
    for (int64_t i = begin; i < end; ++i) {
      HWY_DYNAMIC_DISPATCH(compute_stem_panel)
      ({shape, images, weights, bias, scratch + part * stem_scratch_size(shape),
        (first_panel + i) * out.width(), out.width(), output.at(i, 0), output.channel},
       activation);
    }
  });
}

}  // namespace edgeprune::panels
#endif
