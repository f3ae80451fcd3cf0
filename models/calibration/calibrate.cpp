#include "models/calibration/calibrate.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/ops/fake_quantize.h"
#include "models/copy_model.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

/// Runs forward in evaluation, without gradients.
void run(nn::Network& network, const Tensor& images, nn::ForwardHooks& hooks) {
  const NoGrad no_grad;
  Rng unused(0);
  network.train(false);
  network.forward(Variable(images), unused, &hooks);
}

class Counting : public nn::ForwardHooks {
 public:
  Counting(const nn::Network& network, const std::vector<QuantizedOutput>& outputs)
      : network_(network) {
    for (const QuantizedOutput& output : outputs) histograms[output.node];
  }
  Variable output(size_t node, const Variable& output) override {
    const auto found = histograms.find(node);
    if (found == histograms.end()) return output;
    try {
      found->second.add(output.value().values());
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(
          fmt::format("{} at node '{}'", error.what(), network_.graph().nodes[node].name));
    }
    return output;
  }

  std::map<size_t, Histogram> histograms;

 private:
  const nn::Network& network_;
};

/// By channel, over images and pixels.
std::vector<double> channel_means(const Tensor& map) {
  const int64_t channels = map.shape().back(), pixels = map.count() / channels;
  std::vector<double> means(static_cast<size_t>(channels));
  for (int64_t i = 0; i < map.count(); ++i) means[size_t(i % channels)] += double(map.data()[i]);
  for (double& mean : means) mean /= double(pixels);
  return means;
}

/// The biases of the layers that have weights, by node.
std::map<size_t, Variable*> biases_of(nn::Network& network) {
  std::map<size_t, Variable*> biases;
  for (const auto& layer : network.convolutions()) biases.emplace(layer->node, &layer->bias);
  for (const auto& layer : network.linears()) biases.emplace(layer->node, &layer->bias);
  return biases;
}

class Averaging : public nn::ForwardHooks {
 public:
  explicit Averaging(nn::Network& network) : biases_(biases_of(network)) {}
  Variable output(size_t node, const Variable& output) override {
    if (biases_.contains(node)) means[node] = channel_means(output.value());
    return output;
  }

  std::map<size_t, std::vector<double>> means;

 private:
  std::map<size_t, Variable*> biases_;
};

class Correcting : public nn::ForwardHooks {
 public:
  Correcting(nn::Network& network, const Quantization& quantization,
             const std::map<size_t, std::vector<double>>& wanted)
      : biases_(biases_of(network)), rounding_(network, quantization), wanted_(wanted) {}
  Variable output(size_t node, const Variable& output) override {
    const auto bias = biases_.find(node);
    if (bias == biases_.end()) return rounding_.output(node, output);
    const std::vector<double> means = channel_means(output.value());
    Tensor moved = output.value().clone();
    const size_t channels = means.size();
    std::vector<float> shift(channels);
    for (size_t c = 0; c < channels; ++c) {
      shift[c] = static_cast<float>(wanted_.at(node)[c] - means[c]);
      bias->second->value().data()[c] += shift[c];
    }
    for (int64_t i = 0; i < moved.count(); ++i) moved.data()[i] += shift[size_t(i) % channels];
    return rounding_.output(node, Variable(moved));
  }

 private:
  std::map<size_t, Variable*> biases_;
  RoundedOutputs rounding_;
  const std::map<size_t, std::vector<double>>& wanted_;
};

}  // namespace

std::vector<Range> observe(nn::Network& network, const std::vector<QuantizedOutput>& outputs,
                           const CalibrationImages& images, const CalibrationOptions& options) {
  Counting counting(network, outputs);
  images([&](const Tensor& batch) {
    options.between();
    run(network, batch, counting);
  });
  std::vector<Range> ranges;
  for (const QuantizedOutput& output : outputs) {
    const Grid grid = grid_for(output, 0, 1);
    ranges.push_back(counting.histograms.at(output.node)
                         .range(options.observer, grid.highest - grid.lowest + 1));
  }
  return ranges;
}

void correct_biases(nn::Network& exact, nn::Network& rounded, const Quantization& quantization,
                    const Tensor& images) {
  Averaging averaging(exact);
  run(exact, images, averaging);
  Correcting correcting(rounded, quantization, averaging.means);
  run(rounded, images, correcting);
}

QuantizedNetwork quantize(const nn::Network& model, const CalibrationImages& images,
                          const CalibrationOptions& options) {
  const auto plain = without_batch_norm(model);
  auto exact = options.equalize ? equalized(*plain) : copy_of(*plain);
  FloatLayers floats = unknown_to_integers(*exact);
  floats.insert(options.keep.begin(), options.keep.end());
  const std::vector<QuantizedOutput> outputs = quantized_outputs(*exact, floats);
  require(!outputs.empty(), "quantize", "no layer is left for integers");
  Tensor first;
  bool differ = false;
  const auto noted = [&](const auto& use) {
    images([&](const Tensor& batch) {
      if (!first.defined()) first = batch.clone();
      const auto values = batch.values();
      const auto other = [&](float x) { return x != *first.data(); };
      differ = differ || std::ranges::any_of(values, other);
      use(batch);
    });
  };
  const std::vector<Range> ranges = observe(*exact, outputs, noted, options);
  require(first.defined(), "calibration", "expected images, got none");
  require(differ, "calibration", "all images are of the one value {}", *first.data());
  auto rounded = copy_of(*exact);
  QuantizedNetwork result{std::move(exact), std::move(rounded), {}, floats};
  const std::vector<Node>& nodes = result.exact->graph().nodes;
  std::map<std::string, Grid>& grids = result.quantization.outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& [least, greatest] = ranges[i];
    grids[nodes[outputs[i].node].name] = grid_for(outputs[i], least, greatest);
  }
  const auto round = [&](const auto& layers) {
    for (const auto& layer : layers) {
      if (floats.contains(layer->name)) continue;
      Tensor& weight = layer->weight.value();
      size_t input = nodes[layer->node].inputs[0];
      while (!grids.contains(nodes[input].name)) input = nodes[input].inputs[0];  // dropout
      const auto scales =
          weight_scales(weight, layer->bias.value(), grids.at(nodes[input].name).scale);
      round_weights(weight, scales);
      result.quantization.weight_scales[layer->name] = scales;
    }
  };
  round(result.network->convolutions());
  round(result.network->linears());
  options.between();
  if (options.correct_biases) {
    correct_biases(*result.exact, *result.network, result.quantization, first);
  }
  result.exact->train(false);
  result.network->train(false);
  return result;
}

}  // namespace edgeprune
