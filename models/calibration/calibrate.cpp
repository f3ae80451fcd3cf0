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

/// Whether every pixel of an image [H,W,C] is of one colour, which the normalisation makes three numbers.
bool is_flat(const float* image, int64_t pixels, int64_t channels) {
  for (int64_t i = channels; i < pixels * channels; ++i) {
    if (image[i] != image[i - channels]) return false;
  }
  return true;
}

/// How many of a batch are flat: from such images, of however many colours, no layer's range can be told, as there are
/// no edges in them.
int64_t flat_images(const Tensor& batch) {
  const int64_t pixels = batch.dim(1) * batch.dim(2), channels = batch.dim(3);
  int64_t count = 0;
  for (int64_t n = 0; n < batch.dim(0); ++n) {
    count += is_flat(batch.data() + n * pixels * channels, pixels, channels) ? 1 : 0;
  }
  return count;
}

}  // namespace

std::map<std::string, Grid> output_grids(nn::Network& network, const FloatLayers& floats,
                                         const CalibrationImages& images,
                                         const CalibrationOptions& options) {
  const std::vector<QuantizedOutput> outputs = quantized_outputs(network, floats);
  require(!outputs.empty(), "quantize", "no layer is left for integers");
  int64_t seen = 0, flat = 0;
  Counting counting(network, outputs);
  images([&](const Tensor& batch) {
    options.between();
    seen += batch.dim(0);
    flat += flat_images(batch);
    run(network, batch, counting);
  });
  require(seen > 0, "calibration", "expected images, got none");
  require(flat < seen, "calibration",
          "expected images that show something, got {} of one colour each", seen);
  std::map<std::string, Grid> grids;
  for (const QuantizedOutput& output : outputs) {
    const Node& node = network.graph().nodes[output.node];
    if (std::holds_alternative<kind::MaxPool>(node.kind)) {  // which hands on what it reads
      const auto read = grids.find(network.graph().nodes[node.inputs[0]].name);
      if (read != grids.end()) {
        grids[node.name] = Grid(read->second);
        continue;
      }
    }
    const Grid any = grid_for(output, 0, 1);
    const auto [least, greatest] =
        counting.histograms.at(output.node).range(options.observer, any.highest - any.lowest + 1);
    grids[node.name] = grid_for(output, least, greatest);
  }
  return grids;
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
  auto rounded = copy_of(*exact);
  QuantizedNetwork result{std::move(exact), std::move(rounded), {}, floats, {}};
  const auto noted = [&](const auto& use) {
    images([&](const Tensor& batch) {
      if (!result.images.defined()) result.images = batch.clone();
      use(batch);
    });
  };
  result.quantization.outputs = output_grids(*result.exact, floats, noted, options);
  round_weights(*result.network, result.quantization, floats);
  options.between();
  if (options.correct_biases) {
    correct_biases(*result.exact, *result.network, result.quantization, result.images);
  }
  result.exact->train(false);
  result.network->train(false);
  return result;
}

}  // namespace edgeprune
