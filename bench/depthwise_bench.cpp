// Depthwise 3x3 convolutions in training: our kernels, plain and through batch norm, against
// oneDNN's. Both start from weights in torchvision's layout and leave gradients in it, as an op
// needs them.

#include "bench/conv_work.h"
#include "engine/kernels/simd/depthwise.h"

namespace edgeprune::bench {
namespace {

void run_ours(ConvLayer& layer) {
  const Conv2dShape& s = layer.shape;
  Tensor taps({9, s.in_channels});
  simd::filters_to_taps(layer.weights.data(), s.in_channels, taps.data());
  if (layer.pass.forward) {
    simd::depthwise_forward(s, layer.read_input(), taps.data(), layer.output.data(),
                            layer.moments().get());
  } else {
    Tensor grad_taps(taps.shape());
    simd::depthwise_backward(s, layer.read_grad(), layer.read_input(), taps.data(),
                             {layer.grad_input.data(), layer.sums().get(), grad_taps.data()});
    simd::taps_to_filters(grad_taps.data(), s.in_channels, layer.grad_weights.data());
  }
}

}  // namespace

void register_benchmarks() {
  add_training("depthwise", mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::depthwise)), run_ours);
}

}  // namespace edgeprune::bench
