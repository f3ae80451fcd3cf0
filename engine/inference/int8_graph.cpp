#include "engine/inference/int8_graph.h"

#include <algorithm>
#include <cmath>

#include "engine/base/check.h"
#include "engine/inference/channels_last_steps.h"

namespace edgeprune::inference {
namespace {

/// Whether some convolution reads what layer i puts out, and so multiplies its bytes.
bool is_multiplied(const Graph& graph, size_t i) {
  for (size_t j = i + 1; j < graph.layers.size(); ++j) {
    if (graph.layers[j].kind == Layer::Kind::convolution &&
        graph.input_of(j) == static_cast<int>(i)) {
      return true;
    }
  }
  return false;
}

/// 0 to `high` in so many steps. A tensor that is zero throughout has any scale.
Grid from_zero(float high, int steps) {
  const float scale = high > 0 ? high / static_cast<float>(steps) : 1.0f;
  return {.scale = scale, .zero_point = 0, .lowest = 0, .highest = steps};
}

Grid about_zero(const Range& range) {
  const float high = std::max(-range.low, range.high);
  return {.scale = high > 0 ? high / 127.0f : 1.0f, .zero_point = 128, .lowest = 0, .highest = 255};
}

/// All of a range that has zero, padding's value, in it.
Grid all_of(const Range& range) {
  const float low = std::min(range.low, 0.0f), high = std::max(range.high, 0.0f);
  const float scale = (high - low) / 255.0f;
  const int zero_point = static_cast<int>(std::lrintf(-low / scale));
  return {.scale = scale, .zero_point = zero_point, .lowest = 0, .highest = 255};
}

Grid output_grid(const Graph& graph, size_t i, const Range& range, const Grid& input) {
  const Layer& layer = graph.layers[i];
  if (layer.kind == Layer::Kind::global_average_pool) {
    return input.zero_point == 0 ? from_zero(range.high, 255) : about_zero(range);
  }
  if (layer.activation == Activation::none) return about_zero(range);
  const float high =
      layer.activation == Activation::relu6 ? std::min(range.high, 6.0f) : range.high;
  return from_zero(high, is_multiplied(graph, i) ? kHighRelu : 255);
}

/// A row's scale: its largest weight is kHighWeight, unless the bias would then not fit (a row of next
/// to no weights).
float row_scale(std::span<const float> row, float bias, float input_scale) {
  constexpr float kMostBias = 0x1p30f;
  float largest = 0.0f;
  for (const float w : row) largest = std::max(largest, std::abs(w));
  const float scale = std::max(largest / kHighWeight, std::abs(bias) / input_scale / kMostBias);
  return scale > 0 ? scale : 1.0f;
}

void quantize_weights(const Layer& layer, float input_scale, QuantizedLayer& to) {
  const auto weights = layer.weight.values();
  const auto rows = static_cast<size_t>(layer.shape.out_channels), size = weights.size() / rows;
  for (size_t o = 0; o < rows; ++o) {
    const float bias = layer.bias.data()[o];
    const std::span<const float> row{weights.data() + o * size, size};
    for (const float w : row) {
      require(std::isfinite(w), "quantize", "layer '{}' has a weight that is {}", layer.name, w);
    }
    require(std::isfinite(bias), "quantize", "layer '{}' has a bias that is {}", layer.name, bias);
    const float scale = row_scale(row, bias, input_scale);
    const Grid grid{
        .scale = scale, .zero_point = 0, .lowest = -kHighWeight, .highest = kHighWeight};
    for (const float w : row) to.weights.push_back(static_cast<int8_t>(grid.quantize(w)));
    to.scales.push_back(scale);
    to.bias.push_back(
        static_cast<int32_t>(std::nearbyint(double(bias) / (double(input_scale) * double(scale)))));
  }
}

void check_layer(const Graph& graph, size_t i) {
  const Layer& layer = graph.layers[i];
  const bool pool = layer.kind == Layer::Kind::global_average_pool;
  require(pool || layer.kind == Layer::Kind::convolution, "quantize",
          "layer '{}' is neither a convolution nor an average pool", layer.name);
  if (pool) return;
  const Conv2dShape& s = layer.shape;
  require(s.groups == 1 || (s.groups == s.in_channels && s.groups == s.out_channels), "quantize",
          "layer '{}' has {} groups for {} channels", layer.name, s.groups, s.in_channels);
  require(s.groups == 1 || (layer.residual < 0 && graph.input_of(i) >= 0), "quantize",
          "layer '{}' is depthwise, and adds a residual or reads the images", layer.name);
  require(layer.activation == Activation::none || layer.activation == Activation::relu ||
              layer.activation == Activation::relu6,
          "quantize", "layer '{}' ends in {}", layer.name, name_of(kActivations, layer.activation));
}

void check_range(const Range& range, const std::string& name) {
  require(std::isfinite(range.low) && std::isfinite(range.high) && range.low <= range.high,
          "quantize", "'{}' has values from {} to {}", name, range.low, range.high);
}

/// A graph's layers one by one, all outputs kept.
class FloatLayers {
 public:
  FloatLayers(const Graph& graph, int64_t batch) : graph_(graph), batch_(batch) {
    int64_t scratch_size = 1;
    for (const Layer& layer : graph.layers) {
      steps_.push_back(channels_last_step(layer, batch));
      outputs_.emplace_back(Shape{steps_.back()->output_size()});
      scratch_size = std::max(scratch_size, steps_.back()->scratch_size());
    }
    scratch_ = Tensor({scratch_size});
  }

  /// `runs` batches, one behind another.
  void observe(const float* images, int64_t runs, Ranges& ranges) {
    const Conv2dShape& first = graph_.layers.front().shape;
    const int64_t size = batch_ * first.input_count();
    for (int64_t n = 0; n < runs; ++n) {
      const auto output_of = [&](int layer) -> const float* {
        return layer < 0 ? images + n * size : outputs_[static_cast<size_t>(layer)].data();
      };
      for (size_t i = 0; i < steps_.size(); ++i) {
        const int residual = graph_.layers[i].residual;
        steps_[i]->run(output_of(graph_.input_of(i)), residual < 0 ? nullptr : output_of(residual),
                       outputs_[i].data(), scratch_.data());
        ranges.outputs[i].widen(outputs_[i].data(), outputs_[i].count());
      }
    }
  }

 private:
  const Graph& graph_;
  int64_t batch_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<Tensor> outputs_;
  Tensor scratch_;
};

}  // namespace

void Range::widen(const float* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    // So that NaN stays, to be refused.
    if (!(values[i] >= low)) low = values[i];
    if (!(values[i] <= high)) high = values[i];
  }
}

QuantizedGraph quantize(const Graph& graph, const Ranges& ranges) {
  const size_t count = graph.layers.size();
  require(count > 0 && ranges.outputs.size() == count, "quantize",
          "expected ranges of {} layers, got {}", count, ranges.outputs.size());
  check_range(ranges.images, "images");
  require(ranges.images.low < ranges.images.high, "quantize",
          "the images are zero throughout: there is nothing to take scales from");
  const Layer& last = graph.layers.back();
  require(last.pointwise() && last.activation == Activation::none && last.residual < 0, "quantize",
          "the last layer, '{}', is no linear layer", last.name);
  QuantizedGraph result{.images = all_of(ranges.images), .layers = {}};
  for (size_t i = 0; i < count; ++i) {
    const Layer& layer = graph.layers[i];
    check_layer(graph, i);
    check_range(ranges.outputs[i], layer.name);
    const Grid& input = result.grid_of(graph.input_of(i));
    QuantizedLayer to{.kind = layer.kind,
                      .name = layer.name,
                      .shape = layer.shape,
                      .input = graph.input_of(i),
                      .residual = layer.residual,
                      .output = output_grid(graph, i, ranges.outputs[i], input)};
    if (layer.kind == Layer::Kind::convolution) quantize_weights(layer, input.scale, to);
    result.layers.push_back(std::move(to));
  }
  return result;
}

Ranges observe(const Graph& graph, const Tensor& images) {
  require(images.count() > 0, "observe", "there are no images");
  const Conv2dShape& first = graph.layers.front().shape;
  const int64_t image = first.in_height * first.in_width * first.in_channels;
  require(images.count() % image == 0, "observe", "expected images of {} values, got {} values",
          image, images.count());
  Ranges ranges{.images = {}, .outputs = std::vector<Range>(graph.layers.size())};
  ranges.images.widen(images.data(), images.count());
  const int64_t count = images.count() / image;
  constexpr int64_t kMostImages =
      16;  // at a time; of a batch that they do not divide, the last alone
  for (int64_t begin = 0; begin < count;) {
    const int64_t batch = count - begin >= kMostImages ? kMostImages : 1;
    const int64_t end = batch == 1 ? count : begin + (count - begin) / batch * batch;
    FloatLayers(graph, batch).observe(images.data() + begin * image, (end - begin) / batch, ranges);
    begin = end;
  }
  return ranges;
}

}  // namespace edgeprune::inference
