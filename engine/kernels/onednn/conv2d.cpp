#include "engine/kernels/onednn/conv2d.h"

#include <map>
#include <memory>
#include <vector>

#include "engine/base/parallel.h"
#include "engine/kernels/onednn/primitives.h"
#include "engine/kernels/onednn/trial.h"
#include "engine/kernels/reference/conv2d.h"

namespace edgeprune::onednn {
namespace {

using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;
using dnnl::memory;

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
        desc(d.backward<Primitive>()),
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

void forward(const Conv2dShape& shape, const float* input, const float* weights, const float* bias,
             float* output) {
  auto& conv = cached<Forward>(shape, bias != nullptr);
  reorder(wrap(conv.plain, weights), conv.weights);
  std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, wrap(conv.desc.src_desc(), input)},
                                            {DNNL_ARG_WEIGHTS, conv.weights},
                                            {DNNL_ARG_DST, wrap(conv.desc.dst_desc(), output)}};
  if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, wrap(conv.desc.bias_desc(), bias));
  conv.primitive.execute(cpu_stream(), arguments);
  cpu_stream().wait();
}

void backward_data(const Conv2dShape& shape, const float* grad_output, const float* weights,
                   float* grad_input) {
  auto& conv = cached<BackwardData>(shape);
  reorder(wrap(conv.plain, weights), conv.weights);
  conv.primitive.execute(cpu_stream(),
                         {{DNNL_ARG_DIFF_DST, wrap(conv.desc.diff_dst_desc(), grad_output)},
                          {DNNL_ARG_WEIGHTS, conv.weights},
                          {DNNL_ARG_DIFF_SRC, wrap(conv.desc.diff_src_desc(), grad_input)}});
  cpu_stream().wait();
}

void backward_weights(const Conv2dShape& shape, const float* input, const float* grad_output,
                      float* grad_weights) {
  auto& conv = cached<BackwardWeights>(shape);
  conv.primitive.execute(cpu_stream(),
                         {{DNNL_ARG_SRC, wrap(conv.desc.src_desc(), input)},
                          {DNNL_ARG_DIFF_DST, wrap(conv.desc.diff_dst_desc(), grad_output)},
                          {DNNL_ARG_DIFF_WEIGHTS, conv.weights}});
  reorder(conv.weights, wrap(conv.plain, grad_weights));
  cpu_stream().wait();
}

/// What `function` writes, of that many numbers.
template <typename Function>
Computation into(int64_t (Conv2dShape::*count)() const, const Function& function) {
  return [=](const Trial& t) {
    std::vector<float> result(static_cast<size_t>((t.shape.*count)()));
    function(t, result.data());
    return result;
  };
}

}  // namespace

void conv2d_forward(const Conv2dShape& shape, const float* input, const float* weights,
                    const float* bias, float* output) {
  const bool biased = bias != nullptr;
  const auto arguments_bias = [=](const Trial& t) { return biased ? t.bias.data() : nullptr; };
  require_right(biased ? "convolution with bias" : "convolution", shape,
                into(&Conv2dShape::output_count,
                     [=](const Trial& t, float* y) {
                       forward(t.shape, t.input.data(), t.weights.data(), arguments_bias(t), y);
                     }),
                into(&Conv2dShape::output_count, [=](const Trial& t, float* y) {
                  reference::conv2d_forward(t.shape, t.input.data(), t.weights.data(),
                                            arguments_bias(t), nullptr, Activation::none, y);
                }));
  forward(shape, input, weights, bias, output);
}

void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* weights,
                          float* grad_input) {
  require_right("gradient of a convolution's input", shape,
                into(&Conv2dShape::input_count,
                     [](const Trial& t, float* grad) {
                       backward_data(t.shape, t.output.data(), t.weights.data(), grad);
                     }),
                into(&Conv2dShape::input_count, [](const Trial& t, float* grad) {
                  reference::conv2d_backward_data(t.shape, t.output.data(), t.weights.data(), grad);
                }));
  backward_data(shape, grad_output, weights, grad_input);
}

void conv2d_backward_weights(const Conv2dShape& shape, const float* input, const float* grad_output,
                             float* grad_weights) {
  require_right("gradient of a convolution's weights", shape,
                into(&Conv2dShape::weight_count,
                     [](const Trial& t, float* grad) {
                       backward_weights(t.shape, t.input.data(), t.output.data(), grad);
                     }),
                into(&Conv2dShape::weight_count, [](const Trial& t, float* grad) {
                  reference::conv2d_backward_weights(t.shape, t.input.data(), t.output.data(),
                                                     grad);
                }));
  backward_weights(shape, input, grad_output, grad_weights);
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
