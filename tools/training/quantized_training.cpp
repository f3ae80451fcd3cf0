#include "tools/training/quantized_training.h"

#include <algorithm>

#include "engine/base/check.h"
#include "models/copy_model.h"
#include "models/fold.h"
#include "tools/cli/interrupt.h"
#include "tools/training/calibration.h"
#include "tools/training/starting_point.h"
#include "tools/training/training_history.h"

namespace edgeprune {
namespace {

/// The network with its weights on their grids, which info then has.
std::unique_ptr<nn::Network> rounded(const nn::Network& model, ModelInfo& info,
                                     const FloatLayers& floats) {
  auto copy = copy_of(model);
  round_weights(*copy, *info.quantization, floats);
  copy->train(false);
  return copy;
}

/// Throws std::invalid_argument unless the engine int8 runs it.
void require_kernels(const nn::Network& model, const ModelInfo& info) {
  inference::Plan(inference_graph(model, info), inference::Engine::int8, 1);
}

}  // namespace

void begin_quantized_training(Checkpoint& checkpoint, const Dataset& training,
                              const TrainOptions& options) {
  require(options.qat.has_value(), "qat", "expected options of quantisation-aware training");
  require(options.qat->images > 0, "qat", "expected 1 or more images to calibrate on, got {}",
          options.qat->images);
  const Dataset images =
      limit(training, std::min(options.qat->images, training.size()), options.seed);
  auto plain = without_batch_norm(*checkpoint.model);
  const FloatLayers floats = unknown_to_integers(*plain);
  ModelInfo info = checkpoint.info;
  info.quantization.emplace();
  info.quantization->outputs =
      output_grids(*plain, floats, calibration_images(checkpoint, images),
                   {.observer = options.qat->observer, .between = &throw_if_interrupted});
  // Whether there are kernels for it, which has to be known before hours of training.
  const auto copy = rounded(*plain, info, floats);
  require_kernels(*copy, info);
  checkpoint.model = std::move(plain);
  checkpoint.info = std::move(info);
}

Evaluation evaluate_in_training(const nn::Network& model, const ModelInfo& info,
                                const Dataset& images) {
  if (!info.quantization) return evaluate(model, info, images, inference::Engine::dense);
  ModelInfo as_saved = info;
  const auto copy = rounded(model, as_saved, float_layers(model, *info.quantization));
  return evaluate(*copy, as_saved, images, inference::Engine::int8);
}

void end_quantized_training(nn::Network& model, ModelInfo& info) {
  round_weights(model, *info.quantization, float_layers(model, *info.quantization));
  require_kernels(model, info);
}

TrainResult train_quantized(Checkpoint& checkpoint, const Dataset& training,
                            const Dataset* validation, const TrainOptions& options,
                            const TrainState& state, const EpochCallback& on_epoch,
                            const std::function<void(const std::string&)>& say) {
  begin_quantized_training(checkpoint, training, options);
  nn::Network& model = *checkpoint.model;
  ModelInfo& info = checkpoint.info;
  const Masks masks = zeros_to_keep(checkpoint, say);
  const TrainResult result =
      train(model, info, training, validation, masks, options, state, on_epoch);
  end_quantized_training(model, info);
  info.history.push_back(training_step(options, result, checkpoint.sha256, training, validation));
  checkpoint.sha256.clear();
  return result;
}

}  // namespace edgeprune
