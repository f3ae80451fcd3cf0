#include <mutex>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/onednn/primitives.h"
#include "engine/kernels/onednn/trial.h"
#include "engine/kernels/reference/conv2d.h"

namespace edgeprune::onednn {
namespace {

using dnnl::memory;

constexpr int kResidual = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

/// output = activation(output + residual); residual may be null.
void finish(int64_t count, const float* residual, Activation activation, float* output) {
  parallel_for(count, 1 << 14, [&](int64_t begin, int64_t end, int) {
    if (residual != nullptr) {
      for (int64_t i = begin; i < end; ++i) output[i] += residual[i];
    }
    const ActivationForm form = form_of(activation);
    for (int64_t i = begin; i < end; ++i) output[i] = activate(form, output[i]);
  });
}

}  // namespace

struct FusedConv2d::Impl {
  /// `fuse`: residual and activation by oneDNN, in the pass over the output that makes the product.
  Impl(const Conv2dShape& s, const float* weights, const float* bias, Activation a,
       bool add_residual, bool fuse)
      : shape(s), activation(a), adds_residual(add_residual), fused(fuse) {
    use_the_threads_in_force();
    const Descriptors descriptors(shape);
    dnnl::post_ops post_ops;
    if (fused && adds_residual) {
      post_ops.append_binary(dnnl::algorithm::binary_add, descriptors.output);
    }
    if (fused) append_activation(post_ops, activation);
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(post_ops);
    // oneDNN's own is that of the thread that made the primitive.
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const auto desc = descriptors.forward(dnnl::prop_kind::forward_inference, true, attributes);

    own_weights = memory(desc.weights_desc(), cpu_engine());
    reorder(wrap(descriptors.plain_weights, weights), own_weights);
    own_bias = memory(descriptors.bias, cpu_engine());
    reorder(wrap(descriptors.bias, bias), own_bias);
    cpu_stream().wait();

    scratchpad = desc.scratchpad_desc();
    primitive = dnnl::convolution_forward(desc);
  }

  void run(const float* input, const float* residual, float* output) {
    Arguments arguments = take_arguments();
    arguments[DNNL_ARG_SRC].set_data_handle(const_cast<float*>(input));
    arguments[DNNL_ARG_DST].set_data_handle(output);
    if (fused && adds_residual) {
      arguments[kResidual].set_data_handle(const_cast<float*>(residual));
    }
    use_the_threads_in_force();
    primitive.execute(cpu_stream(), arguments);
    cpu_stream().wait();
    {
      const std::lock_guard lock(mutex);
      unused.push_back(std::move(arguments));
    }
    if (!fused) {
      finish(shape.output_count(), adds_residual ? residual : nullptr, activation, output);
    }
  }

  /// Whether oneDNN may be left to do it all; throws if not even its product is right.
  static bool may_fuse(const Conv2dShape& shape, Activation activation, bool add_residual) {
    const auto by_onednn = [=](bool fuse) {
      return [=](const Trial& t) {
        std::vector<float> output(t.output.size());
        Impl(t.shape, t.weights.data(), t.bias.data(), activation, add_residual, fuse)
            .run(t.input.data(), t.output.data(), output.data());
        return output;
      };
    };
    const auto by_plain_loops = [=](const Trial& t) {
      std::vector<float> output(t.output.size());
      reference::conv2d_forward(t.shape, t.input.data(), t.weights.data(), t.bias.data(),
                                add_residual ? t.output.data() : nullptr, activation,
                                output.data());
      return output;
    };
    const std::string name =
        fmt::format("convolution{} with activation {}", add_residual ? " with residual" : "",
                    name_of(kActivations, activation));
    if (fuses(activation) && is_right("fused " + name, shape, by_onednn(true), by_plain_loops)) {
      return true;
    }
    require_right(name, shape, by_onednn(false), by_plain_loops);
    return false;
  }

  using Arguments = std::unordered_map<int, memory>;

  /// Of some earlier run, or made anew: as many as there are threads at a time.
  Arguments take_arguments() {
    {
      const std::lock_guard lock(mutex);
      if (!unused.empty()) {
        Arguments arguments = std::move(unused.back());
        unused.pop_back();
        return arguments;
      }
    }
    const Descriptors descriptors(shape);
    Arguments arguments{{DNNL_ARG_SRC, wrap(descriptors.input, nullptr)},
                        {DNNL_ARG_WEIGHTS, own_weights},
                        {DNNL_ARG_BIAS, own_bias},
                        {DNNL_ARG_DST, wrap(descriptors.output, nullptr)},
                        {DNNL_ARG_SCRATCHPAD, memory(scratchpad, cpu_engine())}};
    if (fused && adds_residual) arguments.emplace(kResidual, wrap(descriptors.output, nullptr));
    return arguments;
  }

  Conv2dShape shape;
  Activation activation;
  bool adds_residual, fused;
  dnnl::convolution_forward primitive;
  memory own_weights, own_bias;
  memory::desc scratchpad;
  std::mutex mutex;
  std::vector<Arguments> unused;
};

FusedConv2d::FusedConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
                         Activation activation, bool add_residual) {
  require(!add_residual || shape.groups == 1, "FusedConv2d",
          "no residual behind a convolution of {} groups", shape.groups);
  const bool fuse = Impl::may_fuse(shape, activation, add_residual);
  impl_ = std::make_unique<Impl>(shape, weights, bias, activation, add_residual, fuse);
}

FusedConv2d::~FusedConv2d() = default;
FusedConv2d::FusedConv2d(FusedConv2d&&) noexcept = default;
FusedConv2d& FusedConv2d::operator=(FusedConv2d&&) noexcept = default;

void FusedConv2d::run(const float* input, const float* residual, float* output) {
  impl_->run(input, residual, output);
}

bool FusedConv2d::is_fused() const {
  return impl_->fused;
}

}  // namespace edgeprune::onednn
