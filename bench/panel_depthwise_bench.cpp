// Depthwise 3x3 convolutions in inference, on panels and channels-last: image by image, and the
// small maps in batches, images innermost. limit% is the share of the multiply-adds' own limit, all
// nine taps of every output counted: kernels that skip the taps on the padding may pass 100.

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/roofline.h"

namespace edgeprune::bench {
namespace {

/// A layer in both layouts, on the same numbers.
struct Layer {
  explicit Layer(const Conv2dShape& s)
      : shape(s),
        in{s.in_channels, s.in_height * s.in_width * s.batch},
        out{s.out_channels, s.out_height() * s.out_width() * s.batch},
        images(random_tensor({s.input_count()}, 1)),
        filters(random_tensor({s.weight_count()}, 2)),
        bias(random_tensor({s.out_channels}, 3)),
        taps({9, s.in_channels}),
        panels({in.size()}, 0.0f),
        scratch({thread_count(), panels::depthwise_scratch_size(s)}),
        output({s.output_count()}),
        output_panels({out.size()}) {
    simd::filters_to_taps(filters.data(), s.in_channels, taps.data());
    for (int64_t i = 0; i < s.input_count(); ++i) {
      const int64_t c = i % in.channels, row = i / in.channels, pixels = in.columns / s.batch;
      panels.data()[in.offset(c, row % pixels * s.batch + row / pixels)] = images.data()[i];
    }
  }
  void run_channels_last() {
    simd::depthwise_forward(shape, images.data(), taps.data(), bias.data(), Activation::relu6,
                            output.data());
  }
  void run_panels() {
    panels::depthwise_forward(shape, panels.data(), taps.data(), bias.data(), Activation::relu6,
                              scratch.data(), output_panels.data());
  }
  void panels_to_output() {
    for (int64_t i = 0; i < output.count(); ++i) {
      const int64_t c = i % out.channels, row = i / out.channels,
                    pixels = out.columns / shape.batch;
      output.data()[i] =
          output_panels.data()[out.offset(c, row % pixels * shape.batch + row / pixels)];
    }
  }
  Tensor expected() const {
    Tensor result(output.shape());
    reference::conv2d_forward(shape, images.data(), filters.data(), bias.data(), nullptr,
                              Activation::relu6, result.data());
    return result;
  }

  Conv2dShape shape;
  PanelLayout in, out;
  Tensor images, filters, bias, taps, panels, scratch, output, output_panels;
};

void add_layer(const LayerShape& entry, int64_t batch, bool on_panels) {
  Conv2dShape shape = entry.shape;
  shape.batch = batch;
  add(fmt::format("depthwise/{}/batch:{}/{}", label(shape), batch,
                  on_panels ? "panels" : "channels_last"),
      [=, layers = entry.layers] {
        static const double peak = simd::peak_gflops() / thread_count();
        const auto layer = std::make_shared<Layer>(shape);
        Work work;
        work.threads = 1;
        work.run = [=] { on_panels ? layer->run_panels() : layer->run_channels_last(); };
        work.error = [=] {
          if (on_panels) layer->panels_to_output();
          return relative_error(layer->output, layer->expected());
        };
        const double gflop = 2e-9 * double(shape.multiply_adds());
        work.counters = {
            {"GFLOP/s", rate(gflop)}, {"limit%", rate(100 * gflop / peak)}, {"layers", layers}};
        return work;
      });
}

}  // namespace

void register_benchmarks() {
  for (const LayerShape& entry : mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::depthwise))) {
    for (const int64_t batch : {1, 16, 32}) {
      if (batch > 1 && entry.shape.in_height > 4) continue;
      for (const bool on_panels : {true, false}) add_layer(entry, batch, on_panels);
    }
  }
}

}  // namespace edgeprune::bench
