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
      panel.patches[k * panel.width + i] =
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

/// Whether gather_rows() will do: one image, whole rows of outputs of whole vectors in a panel.
bool rows_are_vectors(const StemPanel& panel) {
  const Conv2dShape& s = panel.shape;
  return s.batch == 1 && s.in_channels <= 4 && s.in_width == 2 * s.out_width() &&
         s.out_width() % kLanes == 0 && panel.width % s.out_width() == 0 &&
         s.out_height() * s.out_width() % panel.width == 0;
}

template <int kChannels>
void gather_rows(const StemPanel& panel) {
  const F32 d;
  const Conv2dShape s = panel.shape;
  const int64_t out_width = s.out_width(), panel_width = panel.width;
  const int64_t rows = panel_width / out_width, first_row = panel.first / out_width * 2 - 1;
  float* patches = panel.patches;
  // Row r of the panel's inputs meets the taps r - 2 * row of each row of outputs.
  for (int64_t r = 0; r <= 2 * rows; ++r) {
    const int64_t h = first_row + r;
    const bool inside = h >= 0 && h < s.in_height;
    const float* from = panel.images + h * s.in_width * kChannels;
    for (int64_t w = 0; w < out_width; w += kLanes) {
      Pixels even{}, odd{};
      if (inside) {
        const Pixels low = load_pixels<kChannels>(from + 2 * w * kChannels);
        const Pixels high = load_pixels<kChannels>(from + (2 * w + kLanes) * kChannels);
#pragma GCC unroll 4
        for (int c = 0; c < kChannels; ++c) {
          even.channels[c] = hn::ConcatEven(d, high.channels[c], low.channels[c]);
          odd.channels[c] = hn::ConcatOdd(d, high.channels[c], low.channels[c]);
        }
      } else {
#pragma GCC unroll 4
        for (int c = 0; c < kChannels; ++c) even.channels[c] = odd.channels[c] = hn::Zero(d);
      }
      for (int64_t row = std::max<int64_t>(0, (r - 1) / 2); row < rows && 2 * row <= r; ++row) {
        float* to = patches + (r - 2 * row) * 3 * panel_width + row * out_width + w;
#pragma GCC unroll 4
        for (int c = 0; c < kChannels; ++c) {
          float* left = to + c * 9 * panel_width;
          hn::StoreU(even.channels[c], d, left + panel_width);
          hn::StoreU(odd.channels[c], d, left + 2 * panel_width);
          if (w == 0) left[0] = 0.0f;
          if (w + kLanes < out_width) {
            hn::StoreU(odd.channels[c], d, left + 1);
          } else {
            Partial(kLanes - 1).store(odd.channels[c], left + 1);
          }
        }
      }
    }
  }
}

#endif

void gather(const StemPanel& panel) {
#if HWY_TARGET != HWY_SCALAR
  if (rows_are_vectors(panel)) {
    const int64_t channels = panel.shape.in_channels;
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
  const int64_t taps = panel.taps(), width = panel.width;
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
    for (int v = 0; v < kVectors; ++v) x[v] = access.load(patches + k * width + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vec weight = hn::Set(d, weights[r * taps + k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(weight, x[v], sums[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* to = panel.output + (channel + r) * width + column;
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
  return shape.in_channels * 9 * PanelLayout::kWidth;
}

void stem_forward(const Conv2dShape& shape, const float* images, const float* weights,
                  const float* bias, Activation activation, float* scratch, float* output) {
  const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
  parallel_for(out.count(), 1, [&](int64_t begin, int64_t end, int part) {
    for (int64_t p = begin; p < end; ++p) {
      HWY_DYNAMIC_DISPATCH(compute_stem_panel)
      ({shape, images, weights, bias, scratch + part * stem_scratch_size(shape), p * out.width(),
        out.width(), output + p * out.channels * out.width()},
       activation);
    }
  });
}

}  // namespace edgeprune::panels
#endif
