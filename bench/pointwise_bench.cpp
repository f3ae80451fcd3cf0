// The 1x1 convolutions and the head in training, by oneDNN.

#include "bench/conv_work.h"

void edgeprune::bench::register_benchmarks() {
  for (const LayerShape& entry : mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::pointwise))) {
    for (const int64_t batch : {32, 128}) {
      for (const ConvPass& pass : {kForward, kBackwardData, kBackwardWeights}) {
        add_conv("pointwise", pass, entry, batch, pass.onednn);
      }
    }
  }
}
