// The stem, the only full 3x3 convolution, by oneDNN. Its input is the image, which needs no
// gradient.

#include "bench/conv_work.h"

void edgeprune::bench::register_benchmarks() {
  const auto stem = [](const Conv2dShape& s) { return s.groups == 1 && s.kernel == 3; };
  for (const LayerShape& entry : mobilenet_v2_shapes(stem)) {
    for (const int64_t batch : {32, 128}) {
      for (const ConvPass& pass : {kForward, kBackwardWeights}) {
        add_conv("conv", pass, entry, batch, run_onednn);
      }
    }
  }
}
