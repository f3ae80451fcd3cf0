#include "engine/kernels/panels/depthwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/panel_layout.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::activate;
using simd::HWY_NAMESPACE::F32;
using simd::HWY_NAMESPACE::for_each_vector;
using simd::HWY_NAMESPACE::Vec;

/// Columns [begin, end) of one channel, panel by panel: body(pointer into the panels, first column,
/// count).
template <typename Pointer, typename Body>
HWY_INLINE void for_each_run(const PanelLayout& panels, Pointer data, int64_t channel,
                             int64_t begin, int64_t end, const Body& body) {
  for (int64_t column = begin; column < end;) {
    const int64_t stop = std::min(end, (column / panels.width() + 1) * panels.width());
    body(data + panels.offset(channel, column), column - begin, stop - column);
    column = stop;
  }
}

/// One channel: its plane is copied into `plane`, which has a border of zeros, and convolved row by
/// row. With images innermost a row of outputs at stride 1 is contiguous, borders or not, and so is
/// each output pixel at stride 2.
template <Activation kActivation>
void convolve_channel(const Conv2dShape& s, int64_t channel, const float* input,
                      const float* filter, float bias, float* plane, float* output) {
  const F32 d;
  const PanelLayout in{s.in_channels, s.in_height * s.in_width * s.batch};
  const PanelLayout out{s.out_channels, s.out_height() * s.out_width() * s.batch};
  const int64_t in_row = s.in_width * s.batch, out_row = s.out_width() * s.batch;
  const int64_t plane_row = (s.in_width + 2) * s.batch;
  for (int64_t h = 0; h < s.in_height; ++h) {
    float* to = plane + (h + 1) * plane_row + s.batch;
    for_each_run(in, input, channel, h * in_row, (h + 1) * in_row,
                 [&](const float* from, int64_t first, int64_t count) {
                   std::copy_n(from, count, to + first);
                 });
  }
  Vec w[9];
  for (int k = 0; k < 9; ++k) w[k] = hn::Set(d, filter[k]);
  // Outputs `to[0, count)` whose windows start at from[0, count).
  const auto convolve = [&](const float* from, float* to, int64_t count) HWY_ATTR {
    for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
      Vec sum = hn::Set(d, bias);
      for (int k = 0; k < 9; ++k) {
        const float* x = from + k / 3 * plane_row + k % 3 * s.batch + i;
        sum = hn::MulAdd(access.load(x), w[k], sum);
      }
      access.store(activate<kActivation>(sum), to + i);
    });
  };
  for (int64_t oh = 0; oh < s.out_height(); ++oh) {
    const float* row = plane + oh * s.stride * plane_row;
    if (s.stride == 1) {
      for_each_run(
          out, output, channel, oh * out_row, (oh + 1) * out_row,
          [&](float* to, int64_t first, int64_t count) { convolve(row + first, to, count); });
      continue;
    }
    for (int64_t ow = 0; ow < s.out_width(); ++ow) {
      const float* window = row + ow * s.stride * s.batch;
      const int64_t begin = oh * out_row + ow * s.batch;
      for_each_run(
          out, output, channel, begin, begin + s.batch,
          [&](float* to, int64_t first, int64_t count) { convolve(window + first, to, count); });
    }
  }
}

void depthwise_channels(const Conv2dShape& s, const float* input, const float* filters,
                        const float* bias, Activation activation, float* plane, float* output,
                        int64_t begin, int64_t end) {
  const auto channel = activation == Activation::relu6 ? convolve_channel<Activation::relu6>
                                                       : convolve_channel<Activation::none>;
  for (int64_t c = begin; c < end; ++c) {
    channel(s, c, input, filters + c * 9, bias[c], plane, output);
  }
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(depthwise_channels);

int64_t depthwise_scratch_size(const Conv2dShape& s) {
  return (s.in_height + 2) * (s.in_width + 2) * s.batch;
}

void depthwise_forward(const Conv2dShape& s, const float* input, const float* filters,
                       const float* bias, Activation activation, float* scratch, float* output) {
  parallel_for(s.in_channels, 1, [&](int64_t begin, int64_t end, int part) {
    HWY_DYNAMIC_DISPATCH(depthwise_channels)
    (s, input, filters, bias, activation, scratch + part * depthwise_scratch_size(s), output, begin,
     end);
  });
}

}  // namespace edgeprune::panels
#endif
