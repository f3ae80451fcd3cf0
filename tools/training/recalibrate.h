#pragma once

#include "data/dataset.h"
#include "models/checkpoint.h"

namespace edgeprune {

/// Takes batch norm's running mean and variance anew: those of every layer's inputs over `images`
/// training images (all, if there are fewer; a balanced part, drawn by `seed`), without
/// augmentation, in place of the exponential average that training left for other weights. Over
/// batches they are pooled exactly, var = E[var_b + mean_b^2] - E[mean_b]^2 (Wu & Johnson 2021,
/// "precise" batch norm); inside a batch, as in training, a layer sees its inputs normalised by the
/// batch's own statistics. Weights stay, and a channel of zero weight and bias (group_masks()) is
/// exactly zero as before. The same seed and threads give the same bits.
///
/// Throws std::invalid_argument if images < 2 or the data's classes are not the model's,
/// std::runtime_error if a statistic is not finite or memory does not suffice, Interrupted on
/// Ctrl-C; the model is as it was then.
void recalibrate_batch_norm(nn::Network& model, const ModelInfo& info, const Dataset& training,
                            int64_t images, uint64_t seed);

}  // namespace edgeprune
