// The stem, the only full 3x3 convolution: our kernels against oneDNN's. Its input is the image,
// which needs no gradient.

#include "bench/conv_work.h"
#include "engine/kernels/simd/direct_conv2d.h"

namespace edgeprune::bench {
namespace {

void run_ours(ConvLayer& layer) {
  if (layer.pass.forward) {
    simd::direct_forward(layer.shape, layer.input.data(), layer.weights.data(), layer.output.data(),
                         nullptr);
  } else {
    simd::direct_backward_weights(layer.shape, layer.read_grad(), layer.input.data(),
                                  layer.grad_weights.data());
  }
}

}  // namespace

void register_benchmarks() {
  const auto stem = [](const Conv2dShape& s) { return s.groups == 1 && s.kernel == 3; };
  for (const LayerShape& entry : mobilenet_v2_shapes(stem)) {
    for (const int64_t batch : {32, 128}) {
      for (const ConvPass& pass : {kForward, kBackwardWeights}) {
        add_conv("conv", pass, entry, batch, run_ours, "/ours");
        add_conv("conv", pass, entry, batch, run_onednn, "/onednn");
      }
    }
  }
}

}  // namespace edgeprune::bench
