#include "tools/training/calibration.h"

#include <algorithm>

#include "data/loader.h"
#include "engine/inference/plan.h"
#include "tools/cli/interrupt.h"

namespace edgeprune {
namespace {

/// Of 64x64: all of their maps are in memory at once.
constexpr int64_t kImagesAtOnce = 128;

}  // namespace

CalibrationImages calibration_images(const Checkpoint& checkpoint, const Dataset& images) {
  return [&](const auto& use) {
    const int64_t size = checkpoint.model->graph().input_size();
    Loader loader(images, {.batch = std::max<int64_t>(1, kImagesAtOnce * 64 * 64 / (size * size)),
                           .input_size = static_cast<int>(size),
                           .normalisation = {checkpoint.info.mean, checkpoint.info.std},
                           .augmentation = {}});
    loader.start_epoch(0);
    Batch batch;
    while (loader.next(batch)) {
      throw_if_interrupted();
      use(batch.input);
    }
  };
}

nlohmann::json quantization_step(const Checkpoint& trained, const Dataset& images,
                                 const CalibrationOptions& options, const FloatLayers& floats) {
  std::vector<std::string> in_floats;
  for (const auto& [layer, why] : floats) in_floats.push_back(layer);
  return {{"step", "quantize"},           {"parent", trained.sha256},
          {"images", images.size()},      {"observer", name_of(kObservers, options.observer)},
          {"equalize", options.equalize}, {"bias_correction", options.correct_biases},
          {"in_floats", in_floats}};
}

Checkpoint quantized_checkpoint(const Checkpoint& trained, const Dataset& images,
                                CalibrationOptions options) {
  options.between = &throw_if_interrupted;
  trained.model->train(false);
  QuantizedNetwork quantized =
      quantize(*trained.model, calibration_images(trained, images), options);
  Checkpoint checkpoint{std::move(quantized.network), trained.info, ""};
  checkpoint.info.quantization = std::move(quantized.quantization);
  checkpoint.info.history.push_back(quantization_step(trained, images, options, quantized.floats));
  // Whether there are kernels for it.
  inference::Plan(inference_graph(*checkpoint.model, checkpoint.info), inference::Engine::int8, 1);
  return checkpoint;
}

}  // namespace edgeprune
