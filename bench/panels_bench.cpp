// What of inference on panels is no 1x1 convolution, on one thread. The stem and the depthwise 3x3
// convolutions, beside the channels-last kernels: image by image, and the small maps in batches,
// images innermost. The pool, and the gathering of images into a batch. limit% is the share of the
// multiply-adds' own limit, all nine taps of every output counted: kernels that skip the taps on
// the padding may pass 100.

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/kernels/panels/pool.h"
#include "engine/kernels/panels/relayout.h"
#include "engine/kernels/panels/stem.h"
#include "engine/kernels/reference/conv2d.h"
#include "engine/kernels/simd/depthwise.h"
#include "engine/kernels/simd/roofline.h"

namespace edgeprune::bench {
namespace {

Tensor reference_output(const Conv2dShape& shape, const Tensor& images, const Tensor& weights,
                        const Tensor& bias) {
  Tensor result({shape.output_count()});
  reference::conv2d_forward(shape, images.data(), weights.data(), bias.data(), nullptr,
                            Activation::relu6, result.data());
  return result;
}

/// A depthwise layer in both layouts, on the same numbers.
struct Depthwise {
  explicit Depthwise(const Conv2dShape& s)
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
    panels::to_panels(s.batch, in.columns / s.batch, in.channels, images.data(), panels.data());
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
    panels::from_panels(shape.batch, out.columns / shape.batch, out.channels, output_panels.data(),
                        output.data());
  }
  Tensor expected() const { return reference_output(shape, images, filters, bias); }

  Conv2dShape shape;
  PanelLayout in, out;
  Tensor images, filters, bias, taps, panels, scratch, output, output_panels;
};

/// The stem; oneDNN is what it has channels-last.
struct Stem {
  explicit Stem(const Conv2dShape& s)
      : shape(s),
        out{s.out_channels, s.out_height() * s.out_width()},
        images(random_tensor({s.input_count()}, 1)),
        weights(random_tensor({s.weight_count()}, 2)),
        bias(random_tensor({s.out_channels}, 3)),
        scratch({thread_count(), panels::stem_scratch_size(s)}),
        output({s.output_count()}),
        output_panels({out.size()}),
        onednn(s, weights.data(), bias.data(), Activation::relu6, false) {}
  void run_channels_last() { onednn.run(images.data(), nullptr, output.data()); }
  void run_panels() {
    panels::stem_forward(shape, images.data(), weights.data(), bias.data(), Activation::relu6,
                         scratch.data(), output_panels.data());
  }
  void panels_to_output() {
    panels::from_panels(1, out.columns, out.channels, output_panels.data(), output.data());
  }
  Tensor expected() const { return reference_output(shape, images, weights, bias); }

  Conv2dShape shape;
  PanelLayout out;
  Tensor images, weights, bias, scratch, output, output_panels;
  onednn::FusedConv2d onednn;
};

template <typename T>
void add_layer(const char* kind, const LayerShape& entry, int64_t batch, bool on_panels) {
  Conv2dShape shape = entry.shape;
  shape.batch = batch;
  add(fmt::format("{}/{}/batch:{}/{}", kind, label(shape), batch,
                  on_panels ? "panels" : "channels_last"),
      [=, layers = entry.layers] {
        const ThreadScope one_thread(1);  // oneDNN plans for those in force when it starts
        static const double peak = simd::peak_gflops();
        const auto layer = std::make_shared<T>(shape);
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

void add_pool(int64_t batch) {
  constexpr int64_t kChannels = 1280, kPixels = 4;
  add(fmt::format("pool/batch:{}", batch), [=] {
    const Tensor images = random_tensor({batch, kPixels, kChannels}, 1);
    const PanelLayout in{kChannels, kPixels * batch}, out{kChannels, batch};
    auto input = std::make_shared<Tensor>(Shape{in.size()}, 0.0f);
    auto output = std::make_shared<Tensor>(Shape{out.size()});
    panels::to_panels(batch, kPixels, kChannels, images.data(), input->data());
    Work work;
    work.threads = 1;
    work.run = [=] {
      panels::global_average_pool(kChannels, kPixels, batch, input->data(), output->data());
    };
    work.error = [=] {
      Tensor means({batch, kChannels}), expected({batch, kChannels}, 0.0f);
      panels::from_panels(batch, 1, kChannels, output->data(), means.data());
      for (int64_t i = 0; i < images.count(); ++i) {
        expected.data()[i / (kPixels * kChannels) * kChannels + i % kChannels] +=
            images.data()[i] / kPixels;
      }
      return relative_error(means, expected);
    };
    return work;
  });
}

void add_gather(int64_t pixels, int64_t channels, int64_t count) {
  add(fmt::format("gather/{}_pixels_{}/batch:{}", pixels, channels, count), [=] {
    const Tensor images = random_tensor({count, pixels, channels}, 1);
    const PanelLayout one{channels, pixels}, all{channels, pixels * count};
    auto input = std::make_shared<Tensor>(Shape{count, one.size()}, 0.0f);
    auto output = std::make_shared<Tensor>(Shape{all.size()});
    for (int64_t n = 0; n < count; ++n) {
      panels::to_panels(1, pixels, channels, images.data() + n * pixels * channels,
                        input->data() + n * one.size());
    }
    Work work;
    work.threads = 1;
    work.run = [=] {
      panels::gather_images(count, pixels, channels, input->data(), output->data());
    };
    work.error = [=] {
      Tensor back(images.shape());
      panels::from_panels(count, pixels, channels, output->data(), back.data());
      return relative_error(back, images);
    };
    work.counters = {{"GB/s", rate(8e-9 * double(images.count()))}};
    return work;
  });
}

}  // namespace

void register_benchmarks() {
  for (const LayerShape& at_64 : mobilenet_v2_shapes()) {
    for (const int64_t input_size : {64, 96, 224}) {
      LayerShape entry = at_64;
      Conv2dShape& s = entry.shape;
      s.in_height = s.in_height * input_size / 64, s.in_width = s.in_width * input_size / 64;
      for (const bool on_panels : {true, false}) {
        if (panels::stem_supported(s)) add_layer<Stem>("stem", entry, 1, on_panels);
        if (!s.depthwise()) continue;
        for (const int64_t batch : {1, 16, 32}) {
          if (batch > 1 && s.in_height * s.in_width >= PanelLayout::kWidth) continue;
          add_layer<Depthwise>("depthwise", entry, batch, on_panels);
        }
      }
    }
  }
  for (const int64_t batch : {1, 16, 32}) add_pool(batch);
  for (const int64_t batch : {16, 32}) add_gather(16, 192, batch);
}

}  // namespace edgeprune::bench
