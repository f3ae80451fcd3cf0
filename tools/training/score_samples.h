#pragma once
// Where scores of pruning that are measured on images get their gradients from.

#include "data/dataset.h"
#include "models/checkpoint.h"
#include "pruning/prune.h"

namespace edgeprune {

inline constexpr int64_t kScoreImages = 1024;  ///< unless something else is asked for

/// Gradients of the cross-entropy over `images` training images (all, if there are fewer; a balanced
/// part, drawn by `seed`) in batches of 32, without augmentation, of the network as it is evaluated:
/// batch norm by its running statistics, no dropout. (By a batch's own statistics a layer's scale
/// would not matter to the loss, and an output channel's score would be zero but for rounding.)
/// Weights, statistics, mode and gradients of the network end as they were. Empty for a method that
/// needs no images. Throws std::invalid_argument if the data's classes are not the model's or
/// images < 1; when called, std::runtime_error if memory does not suffice, Interrupted on Ctrl-C.
Samples score_samples(Method method, const ModelInfo& info, const Dataset& training, int64_t images,
                      uint64_t seed);

}  // namespace edgeprune
