#include "models/onnx_export.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/base/check.h"
#include "models/onnx/graph_builder.h"

namespace edgeprune::onnx {
namespace {

using inference::Layer;

/// The same range in all 256 steps. (Ours has 128 behind ReLU, and a runtime would need a Clip, which it does not fuse.)
Grid full_grid(const Grid& grid, const std::string& name) {
  const int levels = grid.highest - grid.lowest;
  require(levels > 0, "onnx", "the grid behind '{}' has no steps", name);
  const double finer = 255.0 / levels;
  return {static_cast<float>(grid.scale / finer),
          static_cast<int>(std::lrint((grid.zero_point - grid.lowest) * finer)), 0, 255};
}

/// Where a summand may lie, so that its sum with the other one is within the sum's range.
Grid difference_grid(const Grid& sum, const Grid& other) {
  const float low = std::min(0.0f, sum.least() - other.greatest()),
              high = std::max(0.0f, sum.greatest() - other.least());
  const float scale = (high - low) / 255.0f;
  return {scale, static_cast<int>(std::lrint(-low / scale)), 0, 255};
}

/// A layer's output.
struct Output {
  std::string floats;   ///< its name
  std::string rounded;  ///< the same after it was bytes, for readers in integers
  Grid grid = {};
  bool flat = false;  ///< [N,C], as linear layers have it, not [N,C,H,W]
};

class Conversion {
 public:
  Conversion(const inference::Graph& graph, const std::set<std::string>& linears, Model& model)
      : graph_(graph), integers_(graph.integers.get()), linears_(linears), to_(model) {}

  void run(const std::string& images) {
    put_out(-1, "images", images, false);
    for (size_t i = 0; i < graph_.layers.size(); ++i) layer(i);
  }

 private:
  const Output& output_of(int layer) const { return outputs_[static_cast<size_t>(layer + 1)]; }
  bool in_integers(size_t i) const { return integers_ != nullptr && integers_->layers[i].integers; }
  std::string read(int layer, bool integers) const {
    const Output& output = output_of(layer);
    return integers ? output.rounded : output.floats;
  }
  bool read_by_integers(int layer) const {
    for (size_t i = 0; i < graph_.layers.size(); ++i) {
      const bool reads = graph_.input_of(i) == layer || graph_.layers[i].residual == layer;
      if (reads && in_integers(i)) return true;
    }
    return false;
  }

  /// Notes what a layer puts out (-1: the images), as bytes where integers make or read it.
  void put_out(int layer, const std::string& name, std::string value, bool flat) {
    const auto count = static_cast<int>(graph_.layers.size());
    const bool integers = layer >= 0 && in_integers(static_cast<size_t>(layer));
    Output output{.floats = std::move(value), .rounded = "", .flat = flat};
    if (layer + 1 < count && (integers || read_by_integers(layer))) {
      output.grid = full_grid(integers_->grid_of(layer), name);
      output.rounded = to_.as_bytes(name, output.floats, output.grid);
      if (integers) output.floats = output.rounded;
    }
    outputs_.push_back(std::move(output));
  }

  void layer(size_t i) {
    const Layer& layer = graph_.layers[i];
    const int input = graph_.input_of(i);
    bool flat = output_of(input).flat;
    std::string value = read(input, in_integers(i));
    switch (layer.kind) {
      case Layer::Kind::convolution:
        value = product(i, value);
        flat = linears_.contains(layer.name);
        if (layer.residual >= 0) value = sum(i, value);
        break;
      case Layer::Kind::global_average_pool:
        value = to_.add("GlobalAveragePool", layer.name, {value});
        break;
      case Layer::Kind::max_pool:
        value = to_.add("MaxPool", layer.name, {value}, windows(layer.shape));
        break;
      case Layer::Kind::multiply:
        value = to_.add("Mul", layer.name, {value, read(layer.residual, false)});
        break;
      case Layer::Kind::activation:
        if (layer.residual >= 0) value = sum(i, value);
        break;
    }
    // Of integers the range of the bytes ends where ReLU and ReLU6 do; what bends has to be said.
    const bool bends = !form_of(layer.activation).clips();
    if (!in_integers(i) || bends) value = to_.activate(layer.activation, layer.name, value);
    put_out(static_cast<int>(i), layer.name, std::move(value), flat);
  }

  static std::vector<Attribute> windows(const Conv2dShape& shape) {
    const std::vector<int64_t> kernel(2, shape.kernel), strides(2, shape.stride),
        pads(4, shape.padding);
    return {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}};
  }

  /// A convolution's or a linear layer's, with its bias.
  std::string product(size_t i, std::string input) {
    const Layer& layer = graph_.layers[i];
    const Output& from = output_of(graph_.input_of(i));
    const bool linear = linears_.contains(layer.name);
    require(linear || !from.flat, "onnx",
            "'{}' is a convolution of what a linear layer puts out, which ONNX has no maps for",
            layer.name);
    if (linear && !from.flat) {
      input = to_.add("Flatten", layer.name, {input}, {{"axis", int64_t{1}}});
      if (in_integers(i)) input = to_.as_bytes(layer.name + "/input", input, from.grid);
    }
    const auto [weight, bias] = in_integers(i) ? integer_weights(i) : float_weights(layer);
    if (linear) {
      return to_.add("Gemm", layer.name, {input, weight, bias}, {{"transB", int64_t{1}}});
    }
    std::vector<Attribute> attributes = windows(layer.shape);
    attributes.push_back({"group", layer.shape.groups});
    return to_.add("Conv", layer.name, {input, weight, bias}, std::move(attributes));
  }

  using WeightAndBias = std::pair<std::string, std::string>;

  std::vector<int64_t> weight_dims(const Layer& layer) const {
    const Shape& shape = layer.weight.shape();
    if (linears_.contains(layer.name)) return {shape[0], shape[1]};
    return {shape[0], shape[1], shape[2], shape[3]};
  }

  WeightAndBias float_weights(const Layer& layer) {
    const std::span<const float> weight = layer.weight.values(), bias = layer.bias.values();
    return {to_.constant(layer.name + ".weight", weight_dims(layer), weight),
            to_.constant(layer.name + ".bias", {layer.shape.out_channels}, bias)};
  }

  WeightAndBias integer_weights(size_t i) {
    const Layer& layer = graph_.layers[i];
    const inference::QuantizedLayer& from = integers_->layers[i];
    const float input_scale = output_of(graph_.input_of(i)).grid.scale;
    std::vector<int8_t> weights = from.weights;
    std::vector<float> scales = from.scales, bias_scales;
    std::vector<int32_t> biases;
    const size_t per_row = weights.size() / scales.size();
    for (size_t o = 0; o < scales.size(); ++o) {
      const double bias = layer.bias.data()[o];
      // On the finer grid of its input the bias of a row of next to no weights could pass 32 bits.
      const auto least = static_cast<float>(std::abs(bias) / input_scale / 0x1p30);
      if (scales[o] < least) {
        for (size_t k = o * per_row; k < (o + 1) * per_row; ++k) {
          weights[k] = static_cast<int8_t>(std::lrint(weights[k] * double{scales[o]} / least));
        }
        scales[o] = least;
      }
      const double scale = double{input_scale} * scales[o];
      biases.push_back(static_cast<int32_t>(std::nearbyint(bias / scale)));
      bias_scales.push_back(static_cast<float>(scale));
    }
    const std::string weight = layer.name + ".weight", bias = layer.name + ".bias";
    return {to_.by_channel<int8_t>(weight, weight_dims(layer), weights, scales),
            to_.by_channel<int32_t>(bias, {layer.shape.out_channels}, biases, bias_scales)};
  }

  /// With what layer `residual` puts out. Integers are rounded before they are added, too: no runtime's convolution adds.
  std::string sum(size_t i, std::string value) {
    const Layer& layer = graph_.layers[i];
    if (in_integers(i)) {
      const Grid& sum = integers_->layers[i].output;
      value = to_.as_bytes(layer.name + "/summand", value,
                           difference_grid(sum, output_of(layer.residual).grid));
    }
    return to_.add("Add", layer.name, {value, read(layer.residual, in_integers(i))});
  }

  const inference::Graph& graph_;
  const inference::QuantizedGraph* integers_;  ///< null: a network in floats
  const std::set<std::string>& linears_;
  GraphBuilder to_;
  std::vector<Output> outputs_;  ///< of the images, then by layer
};

/// Pixels of image files to what the network reads: (pixel / 255 - mean) / std.
std::string normalise(Model& model, const ModelInfo& info) {
  GraphBuilder to(model);
  std::vector<float> factors, shifts;
  for (size_t c = 0; c < 3; ++c) {
    factors.push_back(static_cast<float>(1 / (255.0 * info.std[c])));
    shifts.push_back(static_cast<float>(-double{info.mean[c]} / info.std[c]));
  }
  const std::vector<int64_t> dims{1, 3, 1, 1}, channels_first{0, 3, 1, 2};
  const std::string name = "normalise";
  std::string value = to.add("Transpose", name, {model.input.name}, {{"perm", channels_first}});
  value = to.add("Cast", name, {value}, {{"to", static_cast<int64_t>(DataType::float32)}});
  value = to.add("Mul", name, {value, to.constant<float>(name + ".factors", dims, factors)});
  return to.add("Add", name, {value, to.constant<float>(name + ".shifts", dims, shifts)});
}

}  // namespace

Model to_onnx(const nn::Network& network, const ModelInfo& info, const ExportOptions& options) {
  require(options.opset >= kOldestOpset && options.opset <= kNewestOpset, "onnx",
          "expected an opset from {} to {}, got {}", kOldestOpset, kNewestOpset, options.opset);
  const auto& [channels, height, width] = network.shapes().front();
  Model model{.opset = options.opset,
              .producer_version = options.producer_version,
              .name = network.graph().network,
              .input = {"images", DataType::float32, {options.batch, channels, height, width}},
              .output = {"logits", DataType::float32, {options.batch, network.graph().classes()}},
              .metadata = metadata_of(info)};
  model.metadata["network"] = model.name;
  std::string images = model.input.name;
  if (options.preprocess) {
    require(channels == 3, "onnx", "images of {} channels, expected 3", channels);
    model.input = {images, DataType::uint8, {options.batch, height, width, channels}};
    images = normalise(model, info);
  }
  std::set<std::string> linears;
  for (const auto& linear : network.linears()) linears.insert(linear->name);
  Conversion(inference_graph(network, info), linears, model).run(images);
  model.nodes.back().outputs = {model.output.name};
  return model;
}

}  // namespace edgeprune::onnx
