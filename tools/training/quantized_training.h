#pragma once
// Quantisation-aware training (Jacob et al. 2018; Krishnamoorthi 2018): steps see the numbers that integers will stand
// for, and move the weights in floats behind them.

#include <functional>
#include <string>

#include "tools/measurement/evaluate.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// Makes a trained model, in floats, one that train() with options.qat trains for integers: batch norm becomes part of the
/// convolutions with its statistics as they are, for good (Krishnamoorthi's frozen ones), and the grids of maps are
/// observed on training images. Weights have theirs anew from themselves in every step. Zeros are as before. Throws what
/// output_grids() throws, std::invalid_argument on a network that integer kernels do not know, Interrupted.
void begin_quantized_training(Checkpoint& checkpoint, const Dataset& training,
                              const TrainOptions& options);

/// A network as it will be when its training ends here: one that is trained for integers in integers.
Evaluation evaluate_in_training(const nn::Network& model, const ModelInfo& info,
                                const Dataset& images);

/// The end of such a training: rounds the weights to their grids (round_weights()). Throws std::invalid_argument, naming
/// the layer, where integers cannot hold what was learnt.
void end_quantized_training(nn::Network& model, ModelInfo& info);

/// All of it: begins, trains with the zeros of a pruned model held, rounds the weights to their grids
/// (round_weights()) and appends to the history. The checkpoint is then a quantised one with no file yet, its sha256
/// empty. Throws likewise, and what train() throws; the checkpoint is not to be used then.
TrainResult train_quantized(Checkpoint& checkpoint, const Dataset& training,
                            const Dataset* validation, const TrainOptions& options,
                            const TrainState& state, const EpochCallback& on_epoch,
                            const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
