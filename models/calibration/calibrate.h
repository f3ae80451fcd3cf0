#pragma once
// Post-training quantisation: a trained network gets its grids from images, without training (Krishnamoorthi 2018;
// Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction").

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "models/calibration/range.h"
#include "models/quantization.h"

namespace edgeprune {

struct CalibrationOptions {
  Observer observer = Observer::mse;
  bool equalize = false, correct_biases = true;
  FloatLayers keep = {};  ///< stay in floats, beside what integer kernels do not know
  /// Called again and again; may throw, to end it.
  std::function<void()> between = [] {};
};

/// Calls with batches of images [N,H,W,C], normalised, one after the other: there need not be memory for all.
using CalibrationImages = std::function<void(const std::function<void(const Tensor&)>& use)>;

struct QuantizedNetwork {
  std::unique_ptr<nn::Network> exact;    ///< without batch norm, equalised if so asked, in floats
  std::unique_ptr<nn::Network> network;  ///< the same, its weights on their grids
  Quantization quantization;
  FloatLayers floats;  ///< that have no scales in it
  Tensor images;       ///< the first batch
};

/// What integers will compute for a trained network. The first batch alone is what biases are corrected on. Zero
/// weights stay zero. Throws what output_grids() throws, std::invalid_argument if no layer is left for integers.
QuantizedNetwork quantize(const nn::Network& model, const CalibrationImages& images,
                          const CalibrationOptions& options);
inline QuantizedNetwork quantize(const nn::Network& model, const std::vector<Tensor>& batches,
                                 const CalibrationOptions& options) {
  return quantize(
      model, [&](const auto& use) { std::ranges::for_each(batches, use); }, options);
}

/// The grids of quantized_outputs(), by the options' observer alone. Throws std::invalid_argument on a network that has
/// a batch norm behind no convolution, on no images, or none that shows anything, and naming the node, on values that
/// are not finite.
std::map<std::string, Grid> output_grids(nn::Network& network, const FloatLayers& floats,
                                         const CalibrationImages& images,
                                         const CalibrationOptions& options);

/// Cross-layer equalisation (Nagel et al. 2019, section 4.1): where a convolution alone reads what another one puts out,
/// channel by channel the first one's weights are divided, and the second one's multiplied, by what makes their
/// largest equal. ReLU6 between them becomes ReLU, as the paper has it; the network is no longer quite the same
/// function where values were cut at 6.
std::unique_ptr<nn::Network> equalized(const nn::Network& network);

/// Moves each bias by what rounding shifts its channel's mean on these images (Nagel et al. 2019, section 4.2, by
/// data), layer by layer, each behind corrected ones. `rounded` has the weights of `exact` on their grids.
void correct_biases(nn::Network& exact, nn::Network& rounded, const Quantization& quantization,
                    const Tensor& images);

/// What one layer alone costs, in decibels: 10 log10 of the sum of squares over that of the errors' squares.
/// More is better; infinite without any error.
struct LayerError {
  std::string layer;
  double weights = 0;  ///< of its weights
  double logits = 0;  ///< of the logits, if this layer alone has its weights and its output rounded
};
/// By layer with weights in integers, in the order in which they run; on its images.
std::vector<LayerError> errors_by_layer(
    const QuantizedNetwork& quantized, const std::function<void()>& between = [] {});

}  // namespace edgeprune
