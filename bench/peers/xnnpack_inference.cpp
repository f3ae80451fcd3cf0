// edgeprune's folded network as a subgraph of XNNPACK, in floats or, where it is quantised, in bytes with sign, weights by
// output channel (qc8), but for the last layer: timed, and its logits written, for compare_inference.py. Prints {"median_ms": milliseconds an image} on stdout.

#include <fmt/format.h>
#include <pthreadpool.h>
#include <xnnpack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "bench/peers/program.h"
#include "bench/peers/signed_grids.h"
#include "engine/base/check.h"
#include "engine/base/timer.h"

namespace edgeprune::bench {
namespace {

using inference::Graph;
using inference::Layer;

void check(xnn_status status, const std::string& what) {
  require(status == xnn_status_success, "xnnpack", "{}: status {}", what, int(status));
}

template <typename Type, auto destroy>
struct Deleter {
  void operator()(Type* object) const { destroy(object); }
};
using Subgraph = std::unique_ptr<xnn_subgraph, Deleter<xnn_subgraph, xnn_delete_subgraph>>;
using Runtime = std::unique_ptr<xnn_runtime, Deleter<xnn_runtime, xnn_delete_runtime>>;
using Threads = std::unique_ptr<pthreadpool, Deleter<pthreadpool, pthreadpool_destroy>>;

/// [O,I/groups,k,k] to what XNNPACK wants: [O,k,k,I], depthwise [1,k,k,C].
template <typename T>
std::vector<T> arrange_weight(const Conv2dShape& shape, std::span<const T> weight) {
  const int64_t outs = shape.out_channels, ins = shape.in_channels / shape.groups;
  const int64_t taps = shape.kernel * shape.kernel;
  const int64_t out_step = shape.depthwise() ? 1 : taps * ins;
  const int64_t tap_step = shape.depthwise() ? outs : ins;
  std::vector<T> arranged(weight.size());
  for (int64_t o = 0; o < outs; ++o) {
    for (int64_t i = 0; i < ins; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        arranged[size_t(o * out_step + t * tap_step + i)] =
            weight[size_t((o * ins + i) * taps + t)];
      }
    }
  }
  return arranged;
}

/// The network for one batch size and thread count.
class Network {
 public:
  /// `images`: those that ranges come from which a quantised network has not.
  Network(const Graph& graph, const Tensor& images, int64_t batch, int threads)
      : graph_(graph), batch_(batch), threads_(pthreadpool_create(size_t(threads))) {
    require(threads_ != nullptr, "xnnpack", "no pool of {} threads", threads);
    check(xnn_initialize(nullptr), "initialise");
    xnn_subgraph_t subgraph = nullptr;
    check(xnn_create_subgraph(2, 0, &subgraph), "create subgraph");
    subgraph_.reset(subgraph);
    if (graph.integers != nullptr) grids_ = grids_on_images(*graph.integers, images);
    const Conv2dShape& first = graph.layers.front().shape;
    const Shape image{batch, first.in_height, first.in_width, first.in_channels};
    uint32_t source = define_floats(image, kImages, XNN_VALUE_FLAG_EXTERNAL_INPUT);
    if (graph.integers != nullptr) {
      const uint32_t bytes = define_bytes(image, signed_grid(graph.integers->images));
      check(xnn_define_convert(subgraph, source, bytes, 0), "round the images");
      source = bytes;
    }
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      const int reads = graph.input_of(i);
      outputs_.push_back(define_layer(i, reads < 0 ? source : outputs_.at(size_t(reads))));
    }
    xnn_runtime_t runtime = nullptr;
    check(xnn_create_runtime_v2(subgraph, threads_.get(), 0, &runtime), "create runtime");
    runtime_.reset(runtime);
  }

  void bind(const float* images, float* logits) {
    const std::array values{xnn_external_value{kImages, const_cast<float*>(images)},
                            xnn_external_value{kLogits, logits}};
    check(xnn_setup_runtime(runtime_.get(), values.size(), values.data()), "set up runtime");
  }

  void run() { check(xnn_invoke_runtime(runtime_.get()), "run"); }

 private:
  static constexpr uint32_t kImages = 0, kLogits = 1;

  using Shape = std::array<int64_t, 4>;
  static std::array<size_t, 4> dims_of(const Shape& shape) {
    std::array<size_t, 4> dims;
    std::copy(shape.begin(), shape.end(), dims.begin());
    return dims;
  }
  Shape shape_of(const Layer& layer) const {
    const Conv2dShape& s = layer.shape;
    const bool pool = layer.kind == Layer::Kind::global_average_pool;
    return {batch_, pool ? 1 : s.out_height(), pool ? 1 : s.out_width(), s.out_channels};
  }

  uint32_t define_floats(const Shape& shape, uint32_t external = XNN_INVALID_VALUE_ID,
                         uint32_t flags = 0) {
    uint32_t id = 0;
    check(xnn_define_tensor_value(subgraph_.get(), xnn_datatype_fp32, 4, dims_of(shape).data(),
                                  nullptr, external, flags, &id),
          "define floats");
    return id;
  }

  uint32_t define_bytes(const Shape& shape, const SignedGrid& grid) {
    uint32_t id = 0;
    check(xnn_define_quantized_tensor_value(subgraph_.get(), xnn_datatype_qint8, grid.zero_point,
                                            grid.scale, 4, dims_of(shape).data(), nullptr,
                                            XNN_INVALID_VALUE_ID, 0, &id),
          "define bytes");
    return id;
  }

  /// Weights or biases, by output channel along dimension `channel`; `scales` of integers.
  template <typename T>
  uint32_t define_constants(std::span<const size_t> dims, size_t channel, std::vector<T> values,
                            const std::vector<float>& scales = {}) {
    const auto held = std::make_shared<const std::pair<std::vector<T>, std::vector<float>>>(
        std::move(values), scales);
    constants_.push_back(held);
    const auto& [data, scale] = *held;
    uint32_t id = 0;
    if constexpr (std::is_same_v<T, float>) {
      check(xnn_define_tensor_value(subgraph_.get(), xnn_datatype_fp32, dims.size(), dims.data(),
                                    data.data(), XNN_INVALID_VALUE_ID, 0, &id),
            "define constants");
    } else {
      const auto type = sizeof(T) == 1 ? xnn_datatype_qcint8 : xnn_datatype_qcint32;
      check(xnn_define_channelwise_quantized_tensor_value(
                subgraph_.get(), type, scale.data(), dims.size(), channel, dims.data(), data.data(),
                XNN_INVALID_VALUE_ID, 0, &id),
            "define constants");
    }
    return id;
  }

  /// The last layer puts out floats, which no integer operator of XNNPACK does: it runs in them.
  bool in_bytes(size_t i) const {
    return graph_.integers != nullptr && i + 1 < graph_.layers.size();
  }

  /// A layer's output; `sum`: with its residual, if it has one.
  uint32_t define_output(size_t i, bool sum) {
    const Shape shape = shape_of(graph_.layers[i]);
    if (in_bytes(i)) {
      return define_bytes(shape,
                          sum ? signed_grid(graph_.integers->layers[i].output) : grids_.at(i));
    }
    const bool logits = sum && i + 1 == graph_.layers.size();
    return define_floats(shape, logits ? kLogits : XNN_INVALID_VALUE_ID,
                         logits ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0);
  }

  uint32_t define_layer(size_t i, uint32_t input) {
    const Layer& layer = graph_.layers[i];
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const bool adds = layer.residual >= 0;
    const ActivationForm form = form_of(layer.activation);
    require(form.clips(), "xnnpack_inference", "expected activations that clip, got {} ({})",
            name_of(kActivations, layer.activation), layer.name);
    const float low = form.low, high = form.high;
    if (graph_.integers != nullptr && !in_bytes(i)) {
      const uint32_t floats = define_floats(shape_of(graph_.layers[size_t(graph_.input_of(i))]));
      check(xnn_define_convert(subgraph_.get(), input, floats, 0), "bytes to floats");
      input = floats;
    }
    const uint32_t output = define_output(i, !adds);
    if (layer.kind == Layer::Kind::global_average_pool) {
      check(xnn_define_global_average_pooling_2d(subgraph_.get(), low, high, input, output, 0),
            layer.name);
      return output;
    }
    require(layer.kind == Layer::Kind::convolution, "xnnpack",
            "layer '{}' is neither a convolution nor the global average pool", layer.name);
    define_convolution(i, adds ? -infinity : low, adds ? infinity : high, input, output);
    if (!adds) return output;
    const uint32_t sum = define_output(i, true);
    check(xnn_define_add2(subgraph_.get(), low, high, output, outputs_.at(size_t(layer.residual)),
                          sum, 0),
          layer.name);
    return sum;
  }

  struct Constants {
    uint32_t filter, bias;
  };
  Constants define_weights(size_t i) {
    const Layer& layer = graph_.layers[i];
    const Conv2dShape& s = layer.shape;
    const auto outs = size_t(s.out_channels), kernel = size_t(s.kernel);
    const std::array<size_t, 4> filter =
        s.depthwise()
            ? std::array<size_t, 4>{1, kernel, kernel, outs}
            : std::array<size_t, 4>{outs, kernel, kernel, size_t(s.in_channels / s.groups)};
    const std::array<size_t, 1> channels{outs};
    const size_t along = s.depthwise() ? 3 : 0;
    const std::span<const float> bias = layer.bias.values();
    if (!in_bytes(i)) {
      const std::span<const float> weight = layer.weight.values();
      return {define_constants(filter, along, arrange_weight(s, weight)),
              define_constants(channels, 0, std::vector<float>(bias.begin(), bias.end()))};
    }
    const inference::QuantizedLayer& integers = graph_.integers->layers[i];
    require(integers.integers, "xnnpack", "layer '{}' stays in floats", layer.name);
    const float input_scale = signed_grid(graph_.integers->grid_of(integers.input)).scale;
    std::vector<float> bias_scales;
    std::vector<int32_t> rounded;
    for (size_t o = 0; o < outs; ++o) {
      bias_scales.push_back(input_scale * integers.scales[o]);
      rounded.push_back(int32_t(std::lrint(double(bias[o]) / double(bias_scales[o]))));
    }
    const std::span<const int8_t> weight = integers.weights;
    return {define_constants(filter, along, arrange_weight(s, weight), integers.scales),
            define_constants(channels, 0, rounded, bias_scales)};
  }

  void define_convolution(size_t i, float low, float high, uint32_t input, uint32_t output) {
    const Layer& layer = graph_.layers[i];
    const Conv2dShape& s = layer.shape;
    const auto kernel = uint32_t(s.kernel), stride = uint32_t(s.stride), pad = uint32_t(s.padding);
    const auto [filter, bias] = define_weights(i);
    if (s.depthwise()) {
      check(xnn_define_depthwise_convolution_2d(subgraph_.get(), pad, pad, pad, pad, kernel, kernel,
                                                stride, stride, 1, 1, 1, size_t(s.in_channels), low,
                                                high, input, filter, bias, output, 0),
            layer.name);
    } else {
      check(xnn_define_convolution_2d(
                subgraph_.get(), pad, pad, pad, pad, kernel, kernel, stride, stride, 1, 1,
                uint32_t(s.groups), size_t(s.in_channels / s.groups),
                size_t(s.out_channels / s.groups), low, high, input, filter, bias, output, 0),
            layer.name);
    }
  }

  const Graph& graph_;
  int64_t batch_;
  std::map<size_t, SignedGrid> grids_;  ///< of a quantised network: what it has none of
  std::vector<std::shared_ptr<const void>> constants_;  ///< the subgraph keeps pointers to them
  std::vector<uint32_t> outputs_;                       ///< of the layers so far
  Threads threads_;
  Subgraph subgraph_;
  Runtime runtime_;
};

/// Milliseconds a run, measured as `edgeprune latency` does: at least 50 samples, each of so many
/// runs that it takes a millisecond.
double median_milliseconds(Network& network, double seconds) {
  for (int i = 0; i < 5; ++i) network.run();
  Stopwatch watch;
  network.run();
  const auto repeats = std::max<int64_t>(1, std::llround(1 / std::max(1e-6, watch.milliseconds())));
  std::vector<double> samples;
  for (const Stopwatch total; samples.size() < 50 || total.seconds() < seconds;) {
    watch.restart();
    for (int64_t i = 0; i < repeats; ++i) network.run();
    samples.push_back(watch.milliseconds() / double(repeats));
  }
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

Tensor run(const Task& task) {
  Network network(task.graph, task.images, task.batch, task.threads);
  const int64_t count = task.images.shape()[0], size = task.images.count() / count;
  const int64_t classes = task.graph.layers.back().shape.out_channels;
  Tensor logits({count, classes});
  for (int64_t n = 0; n < count; n += task.batch) {
    network.bind(task.images.data() + n * size, logits.data() + n * classes);
    if (task.all) network.run();
  }
  if (task.all) return logits;
  fmt::print("{{\"median_ms\": {}}}\n",
             median_milliseconds(network, task.seconds) / double(task.batch));
  return logits;
}

}  // namespace
}  // namespace edgeprune::bench

int main(int argc, char** argv) {
  return edgeprune::bench::run_program(
      argc, argv, "Inference on XNNPACK: milliseconds an image, as JSON", edgeprune::bench::run);
}
