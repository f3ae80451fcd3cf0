#include "engine/kernels/panels/depthwise.h"

#include <algorithm>
#include <type_traits>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise_layer.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/depthwise.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/depthwise_lanes-inl.h"
#include "engine/kernels/panels/depthwise_pixels-inl.h"
#include "engine/kernels/panels/depthwise_planes-inl.h"
#include "engine/kernels/panels/depthwise_transposed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Channels whose planes stay in the first-level cache together.
int64_t planes_at_a_time(const PlaneShape& plane) {
  constexpr int64_t kFloats = 4096;
  return std::clamp<int64_t>(kFloats / plane.size(), 1, PlanesKernel<Activation::none>::kChannels);
}

/// Any shape: the panels of a few channels at a time are put together to planes.
template <Activation kActivation>
void convolve_any(const DepthwiseLayer& layer) {
  const PanelLayout in = layer.in();
  const PlaneShape plane(layer.shape);
  const Panels<const float> inputs(layer.input, in);
  const int64_t at_a_time = planes_at_a_time(plane);
  float* first = layer.scratch + plane.margin;
  for (int64_t i = 0; i < at_a_time; ++i) {
    float* x = first + i * plane.size();
    std::fill(x - plane.margin, x, 0.0f);
    std::fill(x + in.columns, x + (plane.size() - plane.margin), 0.0f);
  }
  const PlanesKernel<kActivation> kernel(layer, 0, layer.out().count(),
                                         layer.scratch + at_a_time * plane.size());
  for (int64_t c = layer.begin; c < layer.end; c += at_a_time) {
    const int64_t stop = std::min(layer.end, c + at_a_time);
    for (int64_t i = c; i < stop; ++i) {
      const Columns input = inputs.channel(i);
      float* x = first + (i - c) * plane.size();
      for (int64_t column = 0; column < in.columns; column += in.width()) {
        const float* from = input.at(column);
        simd::HWY_NAMESPACE::for_each_vector(std::min(in.width(), in.columns - column),
                                             [&](auto access, int64_t j) HWY_ATTR {
                                               access.store(access.load(from + j), x + column + j);
                                             });
      }
    }
    kernel.convolve(c, stop, first, plane.size(), layer.output);
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
  if (transposing_pays(s)) {
    layer.begin = s.stride == 1 ? convolve_transposed<kActivation, 1>(layer)
                                : convolve_transposed<kActivation, 2>(layer);
  }
#endif
  if (layer.begin < layer.end) convolve_any<kActivation>(layer);
}

template <Activation kActivation>
void convolve_given_planes(const DepthwiseLayer& layer, const DepthwisePlanes& planes,
                           int64_t first, int64_t last) {
  const PlanesKernel<kActivation> kernel(layer, first, last, layer.scratch);
  for (int64_t c = layer.begin; c < layer.end; c += kernel.kChannels) {
    kernel.convolve(c, std::min(layer.end, c + kernel.kChannels),
                    planes.data + c * planes.channel - planes.first_column, planes.channel,
                    layer.output);
  }
}

/// body(the activation as a type)
template <typename Body>
void with_constant(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::none:
      return body(std::integral_constant<Activation, Activation::none>());
    case Activation::relu:
      return body(std::integral_constant<Activation, Activation::relu>());
    case Activation::relu6:
      return body(std::integral_constant<Activation, Activation::relu6>());
    case Activation::hard_swish:
      return body(std::integral_constant<Activation, Activation::hard_swish>());
    case Activation::hard_sigmoid:
      return body(std::integral_constant<Activation, Activation::hard_sigmoid>());
    case Activation::silu:
      return body(std::integral_constant<Activation, Activation::silu>());
    case Activation::sigmoid:
      return body(std::integral_constant<Activation, Activation::sigmoid>());
  }
}

void depthwise(const DepthwiseLayer& layer, Activation activation) {
  with_constant(activation, [&](auto constant) { convolve<constant>(layer); });
}

void depthwise_given_planes(const DepthwiseLayer& layer, const DepthwisePlanes& planes,
                            Activation activation, int64_t first, int64_t last) {
  with_constant(activation, [&](auto constant) {
    convolve_given_planes<constant>(layer, planes, first, last);
  });
}

int64_t planes_scratch_size(const Conv2dShape& shape, int64_t columns) {
  return PlanesKernel<Activation::none>::scratch_size(shape, columns);
}

int64_t scratch_size(const Conv2dShape& shape) {
  const PlaneShape plane(shape);
  const int64_t columns = shape.out_height() * shape.out_width() * shape.batch;
  int64_t size = planes_at_a_time(plane) * plane.size() + planes_scratch_size(shape, columns);
#if HWY_TARGET != HWY_SCALAR
  if (transposing_pays(shape)) size = std::max(size, transposed_scratch_size(shape));
#endif
  return size;
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {

HWY_EXPORT(depthwise);
HWY_EXPORT(depthwise_given_planes);
HWY_EXPORT(planes_scratch_size);
HWY_EXPORT(scratch_size);

InputColumns depthwise_inputs(const Conv2dShape& shape, int64_t first, int64_t last) {
  const PanelLayout out{shape.out_channels, shape.out_height() * shape.out_width() * shape.batch};
  const int64_t begin = first * out.width(), end = std::min(out.columns, last * out.width());
  const int64_t row = shape.in_width * shape.batch, out_row = shape.out_width() * shape.batch;
  const int64_t overhang = std::max<int64_t>(16, shape.batch);  // a vector
  if (shape.stride == 1) return {begin - row - overhang, end + row + shape.batch};
  return {(begin / out_row * 2 - 1) * row - 2 * overhang, ((end - 1) / out_row * 2 + 2) * row};
}

int64_t depthwise_planes_scratch_size(const Conv2dShape& shape, int64_t panels) {
  return HWY_DYNAMIC_DISPATCH(planes_scratch_size)(shape, panels * PanelLayout::kWidth);
}

void depthwise_from_planes(const Conv2dShape& shape, const DepthwisePlanes& planes,
                           const float* taps, const float* bias, Activation activation,
                           int64_t first, int64_t last, float* scratch, float* output) {
  HWY_DYNAMIC_DISPATCH(depthwise_given_planes)
  ({shape, nullptr, taps, bias, scratch, output, 0, shape.in_channels}, planes, activation, first,
   last);
}

bool depthwise_supported(const Conv2dShape& s) {
  return s.groups == s.in_channels && s.groups == s.out_channels && s.kernel == 3 &&
         s.padding == 1 && (s.stride == 1 || s.stride == 2);
}

int64_t depthwise_scratch_size(const Conv2dShape& shape) {
  return (HWY_DYNAMIC_DISPATCH(scratch_size)(shape) + 15) / 16 * 16;
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
