#pragma once
// Quantisation behind training: images for it, and the checkpoint that it makes.

#include "data/dataset.h"
#include "models/calibration/calibrate.h"
#include "models/checkpoint.h"

namespace edgeprune {

/// All images as the model takes them, in batches of which one's maps fit into memory at once (128
/// images of 64x64). Reads both when it is called; throws Interrupted on Ctrl-C then.
CalibrationImages calibration_images(const Checkpoint& checkpoint, const Dataset& images);

/// A trained model in 8-bit integers (models/calibration/calibrate.h), with a step of its history
/// that says how; its sha256 is empty, as there is no file of it yet. Throws what quantize() throws,
/// std::invalid_argument naming a layer that the engine int8 does not know, and Interrupted.
Checkpoint quantized_checkpoint(const Checkpoint& trained, const Dataset& images,
                                CalibrationOptions options);

/// What the history says of it. `floats`: the layers that are none.
nlohmann::json quantization_step(const Checkpoint& trained, const Dataset& images,
                                 const CalibrationOptions& options, const FloatLayers& floats);

}  // namespace edgeprune
