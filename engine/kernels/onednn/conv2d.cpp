#include "engine/kernels/onednn/conv2d.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/onednn/primitives.h"

namespace edgeprune::onednn {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;

/// The memory descriptors of one convolution: activations channels-last, weights wherever the
/// primitive likes them.
struct Descriptors {
  explicit Descriptors(const Conv2dShape& s)
      : input(describe({s.batch, s.in_channels, s.in_height, s.in_width}, Tag::nhwc)),
        output(describe({s.batch, s.out_channels, s.out_height(), s.out_width()}, Tag::nhwc)),
        bias(describe({s.out_channels}, Tag::x)),
        strides{s.stride, s.stride},
        padding{s.padding, s.padding} {
    if (s.groups == 1) {
      const memory::dims dims{s.out_channels, s.in_channels, s.kernel, s.kernel};
      weights = describe(dims, Tag::any);
      plain_weights = describe(dims, Tag::oihw);
    } else {
      const memory::dims dims{s.groups, s.out_channels / s.groups, s.in_channels / s.groups,
                              s.kernel, s.kernel};
      weights = describe(dims, Tag::any);
      plain_weights = describe(dims, Tag::goihw);
    }
  }

  convolution_forward::primitive_desc forward(dnnl::prop_kind kind, bool with_bias,
                                              const dnnl::primitive_attr& attributes = {}) const {
    return forward_of(attributes, kind, dnnl::algorithm::convolution_direct, input, weights,
                      with_bias ? bias : memory::desc(), output, strides, padding, padding);
  }

  memory::desc input, output, bias, weights, plain_weights;
  memory::dims strides, padding;
};

struct Forward {
  Forward(const Conv2dShape& shape, bool with_bias)
      : plain(Descriptors(shape).plain_weights),
        desc(Descriptors(shape).forward(dnnl::prop_kind::forward_training, with_bias)),
        primitive(desc),
        weights(desc.weights_desc(), cpu_engine()) {}
  memory::desc plain;
  convolution_forward::primitive_desc desc;
  convolution_forward primitive;
  memory weights;
};

/// One of the two backward passes: both read two tensors and leave the third.
template <typename Primitive>
struct Backward {
  explicit Backward(const Conv2dShape& shape) : Backward(Descriptors(shape)) {}
  explicit Backward(const Descriptors& d)
      : plain(d.plain_weights),
        desc(backward_of<Primitive>(d.forward(dnnl::prop_kind::forward_training, false),
                                    dnnl::algorithm::convolution_direct, d.input, d.weights,
                                    d.output, d.strides, d.padding, d.padding)),
        primitive(desc),
        weights(weights_desc(), cpu_engine()) {}

  memory::desc weights_desc() const {
    if constexpr (std::is_same_v<Primitive, convolution_backward_weights>) {
      return desc.diff_weights_desc();
    } else {
      return desc.weights_desc();
    }
  }

  memory::desc plain;
  typename Primitive::primitive_desc desc;
  Primitive primitive;
  memory weights;
};
using BackwardData = Backward<convolution_backward_data>;
using BackwardWeights = Backward<convolution_backward_weights>;

/// The cached primitive for a shape. oneDNN plans its work for a thread count, so that is part of
/// the key; a cache per thread needs no lock, and a primitive's scratchpad is never shared.
template <typename Primitive, typename... Flags>
Primitive& cached(const Conv2dShape& shape, Flags... flags) {
  using Key = std::tuple<Conv2dShape, int, Flags...>;
  use_the_threads_in_force();
  thread_local std::map<Key, std::unique_ptr<Primitive>> cache;
  auto& entry = cache[Key{shape, thread_count(), flags...}];
  if (!entry) entry = std::make_unique<Primitive>(shape, flags...);
  return *entry;
}

}  // namespace

void conv2d_forward(const Conv2dShape& shape, const float* input, const float* weights,
                    const float* bias, float* output) {
  auto& conv = cached<Forward>(shape, bias != nullptr);
  reorder(wrap(conv.plain, weights), conv.weights);
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrap(conv.desc.src_desc(), input)},
                                            {DNNL_ARG_WEIGHTS, conv.weights},
                                            {DNNL_ARG_DST, wrap(conv.desc.dst_desc(), output)}};
  if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, wrap(conv.desc.bias_desc(), bias));
  conv.primitive.execute(cpu_stream(), arguments);
  cpu_stream().wait();
}

void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* weights,
                          float* grad_input) {
  auto& conv = cached<BackwardData>(shape);
  reorder(wrap(conv.plain, weights), conv.weights);
  conv.primitive.execute(cpu_stream(),
                         {{DNNL_ARG_DIFF_DST, wrap(conv.desc.diff_dst_desc(), grad_output)},
                          {DNNL_ARG_WEIGHTS, conv.weights},
                          {DNNL_ARG_DIFF_SRC, wrap(conv.desc.diff_src_desc(), grad_input)}});
  cpu_stream().wait();
}

void conv2d_backward_weights(const Conv2dShape& shape, const float* input, const float* grad_output,
                             float* grad_weights) {
  auto& conv = cached<BackwardWeights>(shape);
  conv.primitive.execute(cpu_stream(),
                         {{DNNL_ARG_SRC, wrap(conv.desc.src_desc(), input)},
                          {DNNL_ARG_DIFF_DST, wrap(conv.desc.diff_dst_desc(), grad_output)},
                          {DNNL_ARG_DIFF_WEIGHTS, conv.weights}});
  reorder(conv.weights, wrap(conv.plain, grad_weights));
  cpu_stream().wait();
}

struct FusedConv2d::Impl {
  convolution_forward primitive;
  std::unordered_map<int, memory> arguments;
  bool add_residual;
};

FusedConv2d::FusedConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
                         Activation activation, bool add_residual)
    : impl_(std::make_unique<Impl>()) {
  require(!add_residual || shape.groups == 1, "FusedConv2d",
          "no residual behind a convolution of {} groups", shape.groups);
  use_the_threads_in_force();
  const Descriptors descriptors(shape);
  dnnl::post_ops post_ops;
  if (add_residual) post_ops.append_binary(dnnl::algorithm::binary_add, descriptors.output);
  if (activation == Activation::relu6) append_clip(post_ops, 0.0f, 6.0f);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post_ops);
  const auto desc = descriptors.forward(dnnl::prop_kind::forward_inference, true, attributes);

  memory own_weights(desc.weights_desc(), cpu_engine());
  reorder(wrap(descriptors.plain_weights, weights), own_weights);
  memory own_bias(descriptors.bias, cpu_engine());
  reorder(wrap(descriptors.bias, bias), own_bias);
  cpu_stream().wait();

  impl_->primitive = convolution_forward(desc);
  impl_->add_residual = add_residual;
  impl_->arguments = {{DNNL_ARG_SRC, wrap(descriptors.input, nullptr)},
                      {DNNL_ARG_WEIGHTS, own_weights},
                      {DNNL_ARG_BIAS, own_bias},
                      {DNNL_ARG_DST, wrap(descriptors.output, nullptr)}};
  if (add_residual) {
    impl_->arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                             wrap(descriptors.output, nullptr));
  }
}

FusedConv2d::~FusedConv2d() = default;
FusedConv2d::FusedConv2d(FusedConv2d&&) noexcept = default;
FusedConv2d& FusedConv2d::operator=(FusedConv2d&&) noexcept = default;

void FusedConv2d::run(const float* input, const float* residual, float* output) {
  auto& arguments = impl_->arguments;
  arguments[DNNL_ARG_SRC].set_data_handle(const_cast<float*>(input));
  arguments[DNNL_ARG_DST].set_data_handle(output);
  if (impl_->add_residual) {
    arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1].set_data_handle(
        const_cast<float*>(residual));
  }
  use_the_threads_in_force();
  impl_->primitive.execute(cpu_stream(), arguments);
  cpu_stream().wait();
}

const char* version() {
  static const std::string text = [] {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
           std::to_string(v->patch);
  }();
  return text.c_str();
}

}  // namespace edgeprune::onednn
