// The 1x1 convolutions and the head in training: our kernels, plain and through batch norm, against
// oneDNN's.

#include "bench/conv_work.h"
#include "engine/kernels/simd/pointwise.h"

namespace edgeprune::bench {
namespace {

void run_ours(ConvLayer& layer) {
  const Conv2dShape& s = layer.shape;
  const simd::PointwiseShape product{s.batch * s.in_height * s.in_width, s.in_channels,
                                     s.out_channels};
  if (layer.pass.forward) {
    simd::pointwise_forward(product, layer.read_input(), layer.weights.data(), layer.output.data(),
                            layer.moments().get());
  } else {
    simd::pointwise_backward(
        product, layer.read_grad(), layer.read_input(), layer.weights.data(),
        {layer.grad_input.data(), layer.sums().get(), layer.grad_weights.data()});
  }
}

}  // namespace

void register_benchmarks() {
  add_training("pointwise", mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::pointwise)), run_ours);
}

}  // namespace edgeprune::bench
