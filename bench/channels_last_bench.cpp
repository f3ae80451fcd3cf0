// Dense convolutions in inference, channels-last, with bias and ReLU: our own sums of products
// ("ours") and minimal filtering by tiles of 2x2 and 4x4 ("winograd2", "winograd4"), beside oneDNN's.
// Those of ResNets and MobileNetV3 at 64x64 and 224x224, heads among them. GFLOP/s counts what plain
// sums multiply, whatever minimal filtering saves of it; `taken` is 1 for the one of ours that
// winograd_tile() is for, so that its choice can be held against the times.

#include <memory>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/simd/conv2d.h"
#include "engine/kernels/simd/winograd.h"
#include "models/networks.h"

namespace edgeprune::bench {
namespace {

/// A layer's arguments, the same random ones every time, and memory for its result.
struct DenseLayer {
  explicit DenseLayer(const Conv2dShape& s)
      : shape(s),
        input(random_tensor({s.input_count()}, 1)),
        weights(random_tensor({s.weight_count()}, 2)),
        bias(random_tensor({s.out_channels}, 3)),
        output({s.output_count()}) {}
  Conv2dShape shape;
  Tensor input, weights, bias, output;
};

using Run = std::function<void()>;
/// Packs a layer's weights; what it returns computes the layer's output and keeps it alive.
using Prepare = std::function<Run(const std::shared_ptr<DenseLayer>&)>;

template <typename Kernel>
Run with_scratch(const Kernel& kernel, const std::shared_ptr<DenseLayer>& layer) {
  return [=, scratch = Tensor({kernel.scratch_size()})]() mutable {
    kernel.run(layer->input.data(), nullptr, layer->output.data(), scratch.data());
  };
}

Run ours(const std::shared_ptr<DenseLayer>& layer) {
  return with_scratch(
      simd::Conv2d(layer->shape, layer->weights.data(), layer->bias.data(), Activation::relu),
      layer);
}

Prepare winograd(int64_t tile) {
  return [tile](const std::shared_ptr<DenseLayer>& layer) {
    return with_scratch(simd::Winograd(layer->shape, layer->weights.data(), layer->bias.data(),
                                       Activation::relu, tile),
                        layer);
  };
}

Run fused_onednn(const std::shared_ptr<DenseLayer>& layer) {
  const auto conv = std::make_shared<onednn::FusedConv2d>(
      layer->shape, layer->weights.data(), layer->bias.data(), Activation::relu, false);
  return [=] { conv->run(layer->input.data(), nullptr, layer->output.data()); };
}

/// Checked against `other`, which shares no code with it.
void add_contender(const std::string& name, const LayerShape& entry, const Prepare& prepare,
                   const Prepare& other, bool taken) {
  add(name, [=] {
    const Conv2dShape& s = entry.shape;
    const auto layer = std::make_shared<DenseLayer>(s);
    Work work;
    work.run = prepare(layer);
    work.error = [=] {
      const auto expected = std::make_shared<DenseLayer>(s);
      other(expected)();
      return relative_error(layer->output, expected->output);
    };
    const int64_t floats = s.input_count() + s.weight_count() + s.output_count();
    work.counters = {{"GFLOP/s", rate(2e-9 * double(s.multiply_adds()))},
                     {"GB/s", rate(4e-9 * double(floats))},
                     {"layers", entry.layers},
                     {"taken", taken}};
    return work;
  });
}

}  // namespace

void register_benchmarks() {
  for (const char* network : {"resnet18", "resnet50", "mobilenet_v3_large", "mobilenet_v3_small"}) {
    for (const int64_t size : {64, 224}) {
      for (LayerShape entry : shapes_of(build_network({.name = network, .input_size = size}))) {
        Conv2dShape& s = entry.shape;
        if (s.groups > 1) continue;
        for (const int64_t batch : {1, 16}) {
          s.batch = batch;
          const std::string name = fmt::format("{}/{}/{}x{}/{}/batch:{}/", network, size, s.kernel,
                                               s.kernel, label(s), batch);
          const int64_t best = simd::winograd_tile(s);
          add_contender(name + "ours", entry, ours, fused_onednn, best == 0);
          for (const int64_t tile : {2, 4}) {
            if (!simd::winograd_supported(s)) continue;
            add_contender(fmt::format("{}winograd{}", name, tile), entry, winograd(tile),
                          fused_onednn, best == tile);
          }
          add_contender(name + "onednn", entry, fused_onednn, ours, false);
        }
      }
    }
  }
}

}  // namespace edgeprune::bench
