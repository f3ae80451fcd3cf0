#pragma once
// How convolutions are described to oneDNN: its version 3 took away the operation descriptors of
// version 2 and the scale of an eltwise post-op. Nothing else of this folder depends on the version.

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

inline void append_clip(dnnl::post_ops& post_ops, float low, float high) {
#if DNNL_VERSION_MAJOR >= 3
  post_ops.append_eltwise(dnnl::algorithm::eltwise_clip, low, high);
#else
  post_ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_clip, low, high);
#endif
}

}  // namespace edgeprune::onednn
