#include "engine/kernels/panels/depthwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise_layer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/depthwise_lanes-inl.h"
#include "engine/kernels/panels/depthwise_pixels-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// A channel's map with a border of zeros, its rows a multiple of the batch long. At stride 2 each
/// row's even columns stand in front of the odd ones, so that at either stride the inputs of a row
/// of outputs are contiguous for each tap.
struct Plane {
  explicit Plane(const Conv2dShape& s)
      : rows(s.in_height + 2),
        row(s.stride == 1 ? (s.in_width + 2) * s.batch : (s.in_width + 3) / 2 * 2 * s.batch) {}
  int64_t size() const { return rows * row; }
  /// Of a column of the padded map.
  int64_t offset(const Conv2dShape& s, int64_t column) const {
    return s.stride == 1 ? column * s.batch : column / 2 * s.batch + column % 2 * (row / 2);
  }
  int64_t rows, row;
};

/// Columns [begin, end) of one channel, panel by panel: body(pointer into the panels, first column,
/// count).
template <typename T, typename Body>
HWY_INLINE void for_each_run(int64_t width, const Columns<T>& columns, int64_t begin, int64_t end,
                             const Body& body) {
  for (int64_t column = begin; column < end;) {
    const int64_t stop = std::min(end, (column / width + 1) * width);
    body(columns.at(column), column - begin, stop - column);
    column = stop;
  }
}

/// Any shape: each channel is copied into a plane with a border of zeros and convolved row by row.
template <Activation kActivation>
void convolve_planes(const DepthwiseLayer& layer) {
  if (layer.begin >= layer.end) return;
  const Conv2dShape& s = layer.shape;
  const PanelLayout in = layer.in(), out = layer.out();
  const int64_t in_width = in.width(), out_width = out.width(), out_row = s.out_width() * s.batch;
  const Panels<const float> inputs(layer.input, in);
  const Panels<float> outputs(layer.output, out);
  const Filters filters(layer);
  const Plane plane(s);
  std::fill_n(layer.plane, plane.size(), 0.0f);
  for (int64_t c = layer.begin; c < layer.end; ++c) {
    const Columns input = inputs.channel(c);
    const Columns output = outputs.channel(c);
    const Filter filter = filters.of_channel(c);
    for (int64_t h = 0; h < s.in_height; ++h) {
      float* row = layer.plane + (h + 1) * plane.row;
      for (int64_t w = 0; w < s.in_width; ++w) {
        const int64_t column = (h * s.in_width + w) * s.batch;
        float* to = row + plane.offset(s, w + 1);
        for_each_run(in_width, input, column, column + s.batch,
                     [&](const float* from, int64_t first, int64_t count) {
                       std::copy_n(from, count, to + first);
                     });
      }
    }
    for (int64_t oh = 0; oh < s.out_height(); ++oh) {
      const float* window = layer.plane + oh * s.stride * plane.row;
      for_each_run(
          out_width, output, oh * out_row, (oh + 1) * out_row,
          [&](float* to, int64_t first, int64_t count) HWY_ATTR {
            simd::HWY_NAMESPACE::for_each_vector(count, [&](auto access, int64_t i) HWY_ATTR {
              Vec sum = filter.bias;
              for (int k = 0; k < 9; ++k) {
                const float* x = window + k / 3 * plane.row + plane.offset(s, k % 3) + first + i;
                sum = hn::MulAdd(access.load(x), filter.taps[k], sum);
              }
              access.store(activate<kActivation>(sum), to + i);
            });
          });
    }
  }
}

template <Activation kActivation>
void convolve(DepthwiseLayer layer) {
  const Conv2dShape& s = layer.shape;
  if (vectors_are_images(s)) return convolve_images<kActivation>(layer);
#if HWY_TARGET != HWY_SCALAR
  if (convolve_pixels<kActivation>(layer)) return;
  if (s.batch == 1 && s.in_height == s.in_width && s.out_width() == 2 && s.out_height() == 2) {
    if (s.in_width == 2) layer.begin = convolve_lanes_of_channels<kActivation, 2>(layer);
    if (s.in_width == 4) layer.begin = convolve_lanes_of_channels<kActivation, 4>(layer);
  }
#endif
  convolve_planes<kActivation>(layer);
}

void depthwise(const DepthwiseLayer& layer, Activation activation) {
  switch (activation) {
    case Activation::none:
      return convolve<Activation::none>(layer);
    case Activation::relu:
      return convolve<Activation::relu>(layer);
    case Activation::relu6:
      return convolve<Activation::relu6>(layer);
    case Activation::hard_swish:
      return convolve<Activation::hard_swish>(layer);
    case Activation::hard_sigmoid:
      return convolve<Activation::hard_sigmoid>(layer);
  }
}

int64_t depthwise_plane_size(const Conv2dShape& shape) {
  return Plane(shape).size();
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(depthwise);
HWY_EXPORT(depthwise_plane_size);

int64_t depthwise_scratch_size(const Conv2dShape& shape) {
  return HWY_DYNAMIC_DISPATCH(depthwise_plane_size)(shape);
}

void depthwise_forward(const Conv2dShape& shape, const float* input, const float* taps,
                       const float* bias, Activation activation, float* scratch, float* output) {
  constexpr int64_t kGroup = 16;  // channels that some kernels take together
  const int64_t size = depthwise_scratch_size(shape);
  parallel_for((shape.in_channels + kGroup - 1) / kGroup, 1,
               [&](int64_t begin, int64_t end, int part) {
                 HWY_DYNAMIC_DISPATCH(depthwise)
                 ({shape, input, taps, bias, scratch + part * size, output, begin * kGroup,
                   std::min(end * kGroup, shape.in_channels)},
                  activation);
               });
}

}  // namespace edgeprune::panels
#endif
