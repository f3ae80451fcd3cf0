#include "engine/kernels/panels/depthwise.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise_layer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/depthwise_lanes-inl.h"
#include "engine/kernels/panels/depthwise_pixels-inl.h"
#include "engine/kernels/panels/depthwise_planes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Any shape: each channel's panels are put together to a plane.
template <Activation kActivation>
void convolve_any(const DepthwiseLayer& layer) {
  if (layer.begin >= layer.end) return;
  const PanelLayout in = layer.in();
  const PlaneShape shape(layer.shape);
  const Panels<const float> inputs(layer.input, in);
  float* plane = layer.scratch + shape.margin;
  std::fill(layer.scratch, plane, 0.0f);
  std::fill(plane + in.columns, layer.scratch + shape.size(), 0.0f);
  const auto gather = [&](int64_t c) {
    const Columns input = inputs.channel(c);
    for (int64_t column = 0; column < in.columns; column += in.width()) {
      std::copy_n(input.at(column), std::min(in.width(), in.columns - column), plane + column);
    }
    return plane;
  };
  convolve_planes<kActivation>(layer, 0, layer.out().count(), gather, layer.scratch + shape.size(),
                               layer.output);
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
  convolve_any<kActivation>(layer);
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

int64_t planes_scratch_size(const Conv2dShape& shape, int64_t columns) {
  return BorderBits::size(columns) / 4 + columns + 2 * shape.batch + 2 * BorderBits::kLanes;
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(depthwise);
HWY_EXPORT(planes_scratch_size);

bool depthwise_supported(const Conv2dShape& s) {
  return s.groups == s.in_channels && s.groups == s.out_channels && s.kernel == 3 &&
         s.padding == 1 && (s.stride == 1 || s.stride == 2);
}

int64_t depthwise_scratch_size(const Conv2dShape& shape) {
  const int64_t columns = shape.out_height() * shape.out_width() * shape.batch;
  return PlaneShape(shape).size() +
         HWY_DYNAMIC_DISPATCH(planes_scratch_size)(shape, (columns + 15) / 16 * 16);
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
