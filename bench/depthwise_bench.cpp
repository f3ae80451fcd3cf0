// Depthwise 3x3 convolutions in training: our kernels against oneDNN's. Both start from weights in
// torchvision's layout and leave gradients in it, as an op needs them.

#include "bench/conv_work.h"
#include "engine/kernels/simd/depthwise.h"

namespace edgeprune::bench {
namespace {

void forward(const Conv2dShape& s, const float* input, const float* filters, float* output) {
  Tensor taps({9, s.in_channels});
  simd::filters_to_taps(filters, s.in_channels, taps.data());
  simd::depthwise_forward(s, input, taps.data(), nullptr, Activation::none, output);
}

void backward_data(const Conv2dShape& s, const float* grad_output, const float* filters,
                   float* grad_input) {
  Tensor taps({9, s.in_channels});
  simd::filters_to_taps(filters, s.in_channels, taps.data());
  simd::depthwise_backward_data(s, grad_output, taps.data(), grad_input);
}

void backward_weights(const Conv2dShape& s, const float* input, const float* grad_output,
                      float* grad_filters) {
  Tensor grad_taps({9, s.in_channels});
  simd::depthwise_backward_weights(s, input, grad_output, grad_taps.data());
  simd::taps_to_filters(grad_taps.data(), s.in_channels, grad_filters);
}

}  // namespace

void register_benchmarks() {
  const std::pair<ConvPass, ConvKernel> passes[] = {
      {kForward, forward}, {kBackwardData, backward_data}, {kBackwardWeights, backward_weights}};
  for (const LayerShape& entry : mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::depthwise))) {
    for (const int64_t batch : {32, 128}) {
      for (const auto& [pass, ours] : passes) {
        add_conv("depthwise", pass, entry, batch, ours, "/ours");
        add_conv("depthwise", pass, entry, batch, pass.onednn, "/onednn");
      }
    }
  }
}

}  // namespace edgeprune::bench
