#include <cmath>
#include <limits>

#include "models/calibration/calibrate.h"
#include "models/fold.h"

namespace edgeprune {
namespace {

double decibels(const Tensor& exact, const Tensor& rounded) {
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < exact.count(); ++i) {
    const double x = exact.data()[i], error = double(rounded.data()[i]) - x;
    signal += x * x;
    noise += error * error;
  }
  return noise > 0 ? 10 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

Tensor logits_of(nn::Network& network, const Tensor& images, nn::ForwardHooks& hooks) {
  const NoGrad no_grad;
  Rng unused(0);
  return network.forward(Variable(images), unused, &hooks).value();
}

/// Rounds one layer of a network in floats.
class OneLayer : public nn::ForwardHooks {
 public:
  OneLayer(size_t node, size_t output, const Variable& weight, RoundedOutputs& rounding)
      : node_(node), output_(output), weight_(weight), rounding_(rounding) {}
  Variable weight(size_t node, const Variable& weight) override {
    return node == node_ ? weight_ : weight;
  }
  Variable output(size_t node, const Variable& output) override {
    return node == output_ ? rounding_.output(node, output) : output;
  }

 private:
  size_t node_, output_;
  Variable weight_;
  RoundedOutputs& rounding_;
};

}  // namespace

std::vector<LayerError> errors_by_layer(const QuantizedNetwork& quantized,
                                        const std::function<void()>& between) {
  const Tensor& images = quantized.images;
  nn::Network& exact = *quantized.exact;
  nn::ForwardHooks none;
  const Tensor expected = logits_of(exact, images, none);
  const std::vector<int> layers = folded(exact).layer_of_node;
  std::map<int, size_t> outputs;  // by layer: the node whose output is rounded
  const FloatLayers floats = float_layers(exact, quantized.quantization);
  for (const QuantizedOutput& output : quantized_outputs(exact, floats)) {
    outputs[layers[output.node]] = output.node;
  }
  RoundedOutputs rounding(exact, quantized.quantization);
  std::vector<LayerError> errors;
  const auto measure = [&](const auto& exact_layers, const auto& rounded_layers) {
    for (size_t i = 0; i < exact_layers.size(); ++i) {
      between();
      const auto& layer = *exact_layers[i];
      if (floats.contains(layer.name)) continue;
      const Variable& rounded = rounded_layers[i]->weight;
      const auto output = outputs.find(layers[layer.node]);
      OneLayer alone(layer.node,
                     output == outputs.end() ? exact.graph().nodes.size() : output->second, rounded,
                     rounding);
      errors.push_back({layer.name, decibels(layer.weight.value(), rounded.value()),
                        decibels(expected, logits_of(exact, images, alone))});
    }
  };
  measure(exact.convolutions(), quantized.network->convolutions());
  measure(exact.linears(), quantized.network->linears());
  return errors;
}

}  // namespace edgeprune
