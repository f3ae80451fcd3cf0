#pragma once
// Which numbers of a network become integers, and what those stand for (kernels/quantization.h has the scheme).

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/inference/int8_graph.h"
#include "engine/nn/network.h"
#include "engine/tensor/archive.h"

namespace edgeprune {

/// Of a network without batch norm (models/fold.h), by its nodes' names.
struct Quantization {
  std::map<std::string, Grid> outputs;  ///< of quantized_outputs()
  /// By output channel: each weight is a whole number from -127 to 127 times this. None of layers that stay in floats.
  std::map<std::string, std::vector<float>> weight_scales;
};

/// Layers with weights that stay in floats, and why.
using FloatLayers = std::map<std::string, std::string>;
/// Of a network without batch norm: those that integer kernels do not know, as "is depthwise and adds a residual".
FloatLayers unknown_to_integers(const nn::Network& network);
/// Those without scales.
FloatLayers float_layers(const nn::Network& network, const Quantization& quantization);

/// A node whose output a layer hands on to the next, as bytes.
struct QuantizedOutput {
  size_t node;
  /// It is never negative (ReLU, ReLU6, hard_sigmoid, products of such), and a convolution reads it: 0 to 127, about 0.
  /// Else 0 to 255 with a zero point.
  bool rectified;
};
/// Of the images and of layers, what integers read or put out, in the order in which they run: all but the last one's
/// logits if nothing stays in floats. (What layers in floats put out is rounded for all its readers here, in a plan for
/// those in integers only.) Throws std::invalid_argument unless the network is one without batch norm.
std::vector<QuantizedOutput> quantized_outputs(const nn::Network& network,
                                               const FloatLayers& floats = {});

/// The grid on which values from `least` to `greatest` lie, and zero exactly. At least one of the two is not zero, or
/// the grid's scale is 1.
Grid grid_for(const QuantizedOutput& output, float least, float greatest);

/// By output channel (inference::row_scale()). weight [O, ...], bias [O].
std::vector<float> weight_scales(const Tensor& weight, const Tensor& bias, float input_scale);
/// Rounds weights to their grids, in place.
void round_weights(Tensor& weight, const std::vector<float>& scales);
/// Rounds those of all layers but `floats` to grids that fit their rows, which it notes in weight_scales; outputs have
/// their grids. Zero weights stay zero. Throws std::invalid_argument, naming the node, if the grid of what a layer reads
/// is missing.
void round_weights(nn::Network& network, Quantization& quantization, const FloatLayers& floats);

/// A network's numbers rounded as in integers, computed in floats: what quantisation costs in accuracy, on any machine.
/// Its weights are taken to lie on their grids.
class RoundedOutputs : public nn::ForwardHooks {
 public:
  /// Throws std::invalid_argument, naming the node, if the grid of one is missing.
  RoundedOutputs(const nn::Network& network, const Quantization& quantization);
  Variable output(size_t node, const Variable& output) override;

 protected:
  /// Null if it is handed on as it is.
  const Grid* grid_of(size_t node) const;

 private:
  std::map<size_t, Grid> grids_;
};

/// What training for integers computes with (Jacob et al. 2018, section 3): outputs rounded, and in place of each weight
/// that has scales what round_weights() would make of it as it is now. Gradients pass both (ops/fake_quantize.h).
class FakeQuantization : public RoundedOutputs {
 public:
  /// Reads the network's biases as long as it lives. Throws what RoundedOutputs and round_weights() throw.
  FakeQuantization(const nn::Network& network, const Quantization& quantization);
  Variable weight(size_t node, const Variable& weight) override;
  /// Activates and rounds in one pass: maps are larger than caches.
  Variable activation(size_t node, const Variable& input, Activation activation) override;
  Variable output(size_t node, const Variable& output) override;

 private:
  struct Reader {
    Variable bias;
    float input_scale;
  };
  std::map<size_t, Reader> readers_;  ///< layers with weights, by node
  std::optional<size_t> rounded_;     ///< the node whose activation() has rounded its output
};

/// The network for the engine int8. Throws std::invalid_argument, naming what integer kernels do not know.
inference::Graph in_integers(const nn::Network& network, const Quantization& quantization);

/// The grids of outputs, {node: {"scale", "zero_point", "lowest", "highest"}}.
nlohmann::json grids_json(const Quantization& quantization);
/// Replaces each weight, which lies on its grid, by I8 whole numbers and "<name>_scale" (F32, by output channel), and puts
/// grids_json() into the metadata's "quantization".
void store_quantized(Archive& archive, const Quantization& quantization);
/// The other way. Throws nlohmann::json::exception or std::invalid_argument, naming the tensor or the node, on what is
/// no quantised network.
Quantization restore_quantized(Archive& archive);

}  // namespace edgeprune
