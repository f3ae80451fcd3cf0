#pragma once
// How convolutions are described to oneDNN: its version 3 took away the operation descriptors of
// version 2 and the scale of an eltwise post-op. Nothing else of this folder depends on the
// version.

#include "engine/base/check.h"
#include "engine/kernels/conv2d_shape.h"
#include "engine/kernels/onednn/runtime.h"

namespace edgeprune::onednn {

/// `description`: what both versions take, in order: propagation kind, algorithm, input, weights,
/// bias (an empty descriptor: none), output, strides, padding before, padding behind.
template <typename... Description>
dnnl::convolution_forward::primitive_desc forward_of(const dnnl::primitive_attr& attributes,
                                                     const Description&... description) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), description..., attributes};
#else
  return {dnnl::convolution_forward::desc(description...), attributes, cpu_engine()};
#endif
}

/// A backward pass of `forward`. `description`: algorithm, input, weights, output (or the gradients
/// by them), strides, padding before, padding behind.
template <typename Primitive, typename... Description>
typename Primitive::primitive_desc backward_of(
    const dnnl::convolution_forward::primitive_desc& forward, const Description&... description) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), description..., forward};
#else
  return {typename Primitive::desc(description...), cpu_engine(), forward};
#endif
}

inline void append_eltwise(dnnl::post_ops& post_ops, dnnl::algorithm algorithm, float alpha,
                           float beta) {
#if DNNL_VERSION_MAJOR >= 3
  post_ops.append_eltwise(algorithm, alpha, beta);
#else
  post_ops.append_eltwise(1.0f, algorithm, alpha, beta);
#endif
}

/// Whether append_activation() may be asked for it. The others are ours: version 2.6 has no hard sigmoid of
/// its own, ignores hard swish's constants, and before AVX2 clips a scaled sum wrongly on one channel.
inline bool fuses(Activation activation) {
  return form_of(activation).clips();
}

inline void append_activation(dnnl::post_ops& post_ops, Activation activation) {
  using Algorithm = dnnl::algorithm;
  switch (activation) {
    case Activation::none:
      return;
    case Activation::relu:
      return append_eltwise(post_ops, Algorithm::eltwise_relu, 0.0f, 0.0f);
    case Activation::relu6:
      return append_eltwise(post_ops, Algorithm::eltwise_clip, 0.0f, 6.0f);
    case Activation::hard_swish:
    case Activation::hard_sigmoid:
    case Activation::silu:
    case Activation::sigmoid:
      break;
  }
  require(false, "oneDNN", "expected an activation that it fuses, got {}",
          name_of(kActivations, activation));
}

/// One convolution: activations channels-last, weights wherever the primitive likes them.
struct Descriptors {
  explicit Descriptors(const Conv2dShape& s)
      : input(describe({s.batch, s.in_channels, s.in_height, s.in_width}, Tag::nhwc)),
        output(describe({s.batch, s.out_channels, s.out_height(), s.out_width()}, Tag::nhwc)),
        bias(describe({s.out_channels}, Tag::x)),
        strides{s.stride, s.stride},
        padding{s.padding, s.padding} {
    const dnnl::memory::dims dims{s.out_channels, s.in_channels, s.kernel, s.kernel};
    const dnnl::memory::dims grouped{s.groups, s.out_channels / s.groups, s.in_channels / s.groups,
                                     s.kernel, s.kernel};
    weights = describe(s.groups == 1 ? dims : grouped, Tag::any);
    plain_weights = s.groups == 1 ? describe(dims, Tag::oihw) : describe(grouped, Tag::goihw);
  }

  dnnl::convolution_forward::primitive_desc forward(
      dnnl::prop_kind kind, bool with_bias, const dnnl::primitive_attr& attributes = {}) const {
    return forward_of(attributes, kind, dnnl::algorithm::convolution_direct, input, weights,
                      with_bias ? bias : dnnl::memory::desc(), output, strides, padding, padding);
  }

  /// One of the backward passes, convolution_backward_data or convolution_backward_weights.
  template <typename Primitive>
  typename Primitive::primitive_desc backward() const {
    return backward_of<Primitive>(forward(dnnl::prop_kind::forward_training, false),
                                  dnnl::algorithm::convolution_direct, input, weights, output,
                                  strides, padding, padding);
  }

  using Tag = dnnl::memory::format_tag;
  dnnl::memory::desc input, output, bias, weights, plain_weights;
  dnnl::memory::dims strides, padding;
};

}  // namespace edgeprune::onednn
