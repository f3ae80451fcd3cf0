// Convolutions in integers beside the same ones in float32 on panels, on one thread: MobileNetV2's at
// 64x64 and 224x224, a map at a time, the depthwise ones by 5x5 windows, too. GMAC/s counts
// multiply-adds; limit% is their share of what the CPU's dot products could do on registers, of float32
// what its multiply-adds could.

#include <random>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/kernels/int8/depthwise.h"
#include "engine/kernels/int8/pointwise.h"
#include "engine/kernels/int8/sparse_pointwise.h"
#include "engine/kernels/panels/depthwise.h"
#include "engine/kernels/panels/panel_layout.h"
#include "engine/kernels/panels/pointwise.h"
#include "engine/kernels/reference/int8.h"
#include "engine/kernels/simd/roofline.h"

namespace edgeprune::bench {
namespace {

constexpr Grid kOutput{.scale = 1, .zero_point = 0, .lowest = 0, .highest = kHighRelu};

template <typename T>
std::vector<T> random_integers(int64_t count, int low, int high) {
  std::mt19937_64 random(static_cast<uint64_t>(count));
  std::uniform_int_distribution<int> distribution(low, high);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(distribution(random));
  return values;
}

/// A layer's integers.
struct Integers {
  explicit Integers(const Conv2dShape& s)
      : shape(s),
        input(random_integers<uint8_t>(
            s.batch * s.in_height * s.in_width * pixel_bytes(s.in_channels), 0, kHighRelu)),
        weights(random_integers<int8_t>(s.weight_count(), -127, 127)),
        bias(static_cast<size_t>(s.out_channels), 0),
        multipliers(static_cast<size_t>(s.out_channels), 1e-3f),
        output(static_cast<size_t>(s.batch * s.out_height() * s.out_width() *
                                   pixel_bytes(s.out_channels))) {}
  double error() const {
    std::vector<uint8_t> expected(output.size());
    reference::conv2d_int8({shape, weights.data(), bias.data(), multipliers.data(), 0},
                           input.data(), pixel_bytes(shape.in_channels), {}, kOutput,
                           expected.data());
    return expected == output ? 0 : 1;
  }
  Conv2dShape shape;
  std::vector<uint8_t> input;
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;
  std::vector<float> multipliers;
  std::vector<uint8_t> output;
};

benchmark::UserCounters counters(const LayerShape& entry, double limit) {
  const double gmac = 1e-9 * double(entry.shape.multiply_adds());
  return {{"GMAC/s", rate(gmac)}, {"limit%", rate(100 * gmac / limit)}, {"layers", entry.layers}};
}

double float_limit() {
  static const double limit = simd::peak_gflops() / 2;
  return limit;
}

Work int8_pointwise(const LayerShape& entry) {
  const Conv2dShape& s = entry.shape;
  const auto layer = std::make_shared<Integers>(s);
  const int8::PointwiseWeights weights(
      {layer->weights.data(), layer->bias.data(), layer->multipliers.data()}, s.out_channels,
      s.in_channels, kHighRelu);
  Work work;
  work.threads = 1;
  const int64_t pixels = s.batch * s.in_height * s.in_width;
  work.run = [=] {
    pointwise(weights, {layer->input.data(), pixels, pixel_bytes(s.in_channels)}, {}, kOutput,
              layer->output.data());
  };
  work.error = [=] { return layer->error(); };
  work.counters = counters(entry, 4 * float_limit());
  return work;
}

/// Of every hundred blocks of `rows` x 1 weights, `zeros` are zero. Rates count all weights.
Work int8_sparse(const LayerShape& entry, int zeros, int64_t rows) {
  const Conv2dShape& s = entry.shape;
  const auto layer = std::make_shared<Integers>(s);
  const auto drawn = random_integers<int8_t>(s.weight_count(), 0, 99);
  for (int64_t i = 0; i < s.weight_count(); ++i) {
    const int64_t block = i / s.in_channels / rows * s.in_channels + i % s.in_channels;
    if (drawn[static_cast<size_t>(block)] < zeros) layer->weights[static_cast<size_t>(i)] = 0;
  }
  const int8::SparsePointwiseWeights weights(
      {layer->weights.data(), layer->bias.data(), layer->multipliers.data()}, s.out_channels,
      s.in_channels, kHighRelu);
  const auto scratch = std::make_shared<std::vector<uint8_t>>(
      static_cast<size_t>(sparse_pointwise_scratch_size(weights)));
  Work work;
  work.threads = 1;
  const int64_t pixels = s.batch * s.in_height * s.in_width;
  work.run = [=] {
    sparse_pointwise(weights, {layer->input.data(), pixels, pixel_bytes(s.in_channels)}, {},
                     kOutput, scratch->data(), layer->output.data());
  };
  work.error = [=] { return layer->error(); };
  work.counters = counters(entry, 4 * float_limit());
  return work;
}

Work float_pointwise(const LayerShape& entry) {
  const Conv2dShape& s = entry.shape;
  const int64_t columns = s.batch * s.in_height * s.in_width;
  const PanelLayout in{s.in_channels, columns}, out{s.out_channels, columns};
  const Tensor values = random_tensor({s.out_channels, s.in_channels}, 1);
  const Tensor bias = random_tensor({s.out_channels}, 2), input = random_tensor({in.size()}, 3);
  Tensor output({out.size()});
  const panels::PointwiseWeights weights(values.data(), s.out_channels, s.in_channels, columns);
  Work work;
  work.threads = 1;
  work.run = [=]() mutable {
    panels::pointwise(weights, columns, input.data(), bias.data(), nullptr, Activation::relu6,
                      output.data());
  };
  work.error = [] { return 0.0; };  // panel_pointwise_bench checks it
  work.counters = counters(entry, float_limit());
  return work;
}

Work int8_depthwise(const LayerShape& entry) {
  const Conv2dShape& s = entry.shape;
  const auto layer = std::make_shared<Integers>(s);
  const int8::DepthwiseWeights weights(
      {layer->weights.data(), layer->bias.data(), layer->multipliers.data()}, s, kOutput);
  Work work;
  work.threads = 1;
  work.run = [=] { depthwise(weights, s, layer->input.data(), kOutput, layer->output.data()); };
  work.error = [=] { return layer->error(); };
  work.counters = counters(entry, 4 * float_limit());
  return work;
}

Work float_depthwise(const LayerShape& entry) {
  const Conv2dShape& s = entry.shape;
  const PanelLayout in{s.in_channels, s.in_height * s.in_width * s.batch};
  const PanelLayout out{s.out_channels, s.out_height() * s.out_width() * s.batch};
  const Tensor input = random_tensor({in.size()}, 1), taps = random_tensor({9, s.in_channels}, 2);
  const Tensor bias = random_tensor({s.out_channels}, 3);
  Tensor output({out.size()}), scratch({panels::depthwise_scratch_size(s)});
  Work work;
  work.threads = 1;
  work.run = [=]() mutable {
    panels::depthwise_forward(s, input.data(), taps.data(), bias.data(), Activation::relu6,
                              scratch.data(), output.data());
  };
  work.error = [] { return 0.0; };  // panels_bench checks it
  work.counters = counters(entry, float_limit());
  return work;
}

}  // namespace

void register_benchmarks() {
  for (const LayerShape& at_64 : mobilenet_v2_shapes()) {
    for (const int64_t size : {64, 224}) {
      LayerShape entry = at_64;
      Conv2dShape& s = entry.shape;
      s.in_height = s.in_height * size / 64, s.in_width = s.in_width * size / 64;
      if (!s.pointwise() && !s.depthwise()) continue;
      const bool pointwise = s.pointwise();
      const std::string name =
          fmt::format("{}/{}/{}/", pointwise ? "pointwise" : "depthwise", size, label(s));
      add(name + "float32",
          [=] { return pointwise ? float_pointwise(entry) : float_depthwise(entry); });
      for (const int zeros : {50, 70, 80, 90}) {
        for (const int64_t rows : {1, 4}) {
          if (!pointwise) continue;
          add(fmt::format("{}int8/zeros:{}/block:{}x1", name, zeros, rows),
              [=] { return int8_sparse(entry, zeros, rows); });
        }
      }
      add(name + "int8", [=] { return pointwise ? int8_pointwise(entry) : int8_depthwise(entry); });
      if (pointwise) continue;
      s.kernel = 5, s.padding = 2;
      add(name + "5x5/int8", [=] { return int8_depthwise(entry); });
    }
  }
}

}  // namespace edgeprune::bench
