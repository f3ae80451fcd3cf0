// edgeprune's folded network as a subgraph of XNNPACK: timed, and its logits written, for
// compare_inference.py. Prints {"median_ms": milliseconds an image} on stdout.

#include <fmt/format.h>
#include <pthreadpool.h>
#include <xnnpack.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "bench/peers/program.h"
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
Tensor arrange_weight(const Layer& layer) {
  const Conv2dShape& shape = layer.shape;
  const int64_t outs = shape.out_channels, ins = shape.in_channels / shape.groups;
  const int64_t taps = shape.kernel * shape.kernel;
  const int64_t out_step = shape.depthwise() ? 1 : taps * ins;
  const int64_t tap_step = shape.depthwise() ? outs : ins;
  Tensor arranged({layer.weight.count()});
  for (int64_t o = 0; o < outs; ++o) {
    for (int64_t i = 0; i < ins; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        arranged.data()[o * out_step + t * tap_step + i] =
            layer.weight.data()[(o * ins + i) * taps + t];
      }
    }
  }
  return arranged;
}

/// The network for one batch size and thread count.
class Network {
 public:
  Network(const Graph& graph, int64_t batch, int threads)
      : batch_(batch), threads_(pthreadpool_create(size_t(threads))) {
    require(threads_ != nullptr, "xnnpack", "no pool of {} threads", threads);
    check(xnn_initialize(nullptr), "initialise");
    xnn_subgraph_t subgraph = nullptr;
    check(xnn_create_subgraph(2, 0, &subgraph), "create subgraph");
    subgraph_.reset(subgraph);
    const Conv2dShape& first = graph.layers.front().shape;
    const uint32_t images =
        define_value({batch, first.in_height, first.in_width, first.in_channels}, nullptr, kImages,
                     XNN_VALUE_FLAG_EXTERNAL_INPUT);
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      const int source = graph.input_of(i);
      const uint32_t input = source < 0 ? images : outputs_.at(size_t(source));
      outputs_.push_back(define_layer(graph.layers[i], input, i + 1 == graph.layers.size()));
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

  uint32_t define_value(std::array<int64_t, 4> shape, const float* data,
                        uint32_t external = XNN_INVALID_VALUE_ID, uint32_t flags = 0) {
    std::array<size_t, 4> dims;
    std::copy(shape.begin(), shape.end(), dims.begin());
    uint32_t id = 0;
    check(xnn_define_tensor_value(subgraph_.get(), xnn_datatype_fp32, dims.size(), dims.data(),
                                  data, external, flags, &id),
          "define value");
    return id;
  }

  uint32_t define_output(const Layer& layer, bool last) {
    const Conv2dShape& s = layer.shape;
    const bool pool = layer.kind == Layer::Kind::global_average_pool;
    return define_value(
        {batch_, pool ? 1 : s.out_height(), pool ? 1 : s.out_width(), s.out_channels}, nullptr,
        last ? kLogits : XNN_INVALID_VALUE_ID, last ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0);
  }

  uint32_t define_layer(const Layer& layer, uint32_t input, bool last) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const bool adds = layer.residual >= 0;
    const ActivationForm form = form_of(layer.activation);
    require(form.kind != ActivationForm::Kind::gate, "xnnpack_inference",
            "expected activations that clip, got {} ({})", name_of(kActivations, layer.activation),
            layer.name);
    const float low = form.low, high = form.high;
    const uint32_t output = define_output(layer, last && !adds);
    if (layer.kind == Layer::Kind::global_average_pool) {
      check(xnn_define_global_average_pooling_2d(subgraph_.get(), low, high, input, output, 0),
            layer.name);
      return output;
    }
    require(layer.kind == Layer::Kind::convolution, "xnnpack",
            "layer '{}' is neither a convolution nor the global average pool", layer.name);
    define_convolution(layer, adds ? -infinity : low, adds ? infinity : high, input, output);
    if (!adds) return output;
    const uint32_t sum = define_output(layer, last);
    check(xnn_define_add2(subgraph_.get(), low, high, output, outputs_.at(size_t(layer.residual)),
                          sum, 0),
          layer.name);
    return sum;
  }

  void define_convolution(const Layer& layer, float low, float high, uint32_t input,
                          uint32_t output) {
    const Conv2dShape& s = layer.shape;
    const auto kernel = uint32_t(s.kernel), stride = uint32_t(s.stride), pad = uint32_t(s.padding);
    const int64_t ins = s.in_channels / s.groups, outs = s.out_channels / s.groups;
    constants_.push_back(arrange_weight(layer));
    const float* weight = constants_.back().data();
    constants_.push_back(layer.bias);
    const size_t channels = size_t(s.out_channels);
    uint32_t bias = 0;
    check(xnn_define_tensor_value(subgraph_.get(), xnn_datatype_fp32, 1, &channels,
                                  layer.bias.data(), XNN_INVALID_VALUE_ID, 0, &bias),
          layer.name);
    if (s.depthwise()) {
      const uint32_t filter = define_value({1, s.kernel, s.kernel, s.out_channels}, weight);
      check(xnn_define_depthwise_convolution_2d(subgraph_.get(), pad, pad, pad, pad, kernel, kernel,
                                                stride, stride, 1, 1, 1, size_t(s.in_channels), low,
                                                high, input, filter, bias, output, 0),
            layer.name);
    } else {
      const uint32_t filter = define_value({s.out_channels, s.kernel, s.kernel, ins}, weight);
      check(xnn_define_convolution_2d(subgraph_.get(), pad, pad, pad, pad, kernel, kernel, stride,
                                      stride, 1, 1, uint32_t(s.groups), size_t(ins), size_t(outs),
                                      low, high, input, filter, bias, output, 0),
            layer.name);
    }
  }

  int64_t batch_;
  std::vector<Tensor> constants_;  ///< the subgraph keeps pointers to them
  std::vector<uint32_t> outputs_;  ///< of the layers so far
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
  const int64_t batch = task.images.shape()[0];
  Network network(task.graph, batch, task.threads);
  Tensor logits({batch, task.graph.layers.back().shape.out_channels});
  network.bind(task.images.data(), logits.data());
  fmt::print("{{\"median_ms\": {}}}\n", median_milliseconds(network, task.seconds) / double(batch));
  return logits;
}

}  // namespace
}  // namespace edgeprune::bench

int main(int argc, char** argv) {
  return edgeprune::bench::run_program(
      argc, argv, "Inference on XNNPACK: milliseconds an image, as JSON", edgeprune::bench::run);
}
