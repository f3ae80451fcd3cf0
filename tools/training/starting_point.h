#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "models/checkpoint.h"
#include "pruning/masks.h"

namespace edgeprune {

/// A MobileNetV2 for these classes (wanted.classes does not count), from the weights of a file, with
/// the file's width, input size, normalisation and zeros as far as `wanted` does not say otherwise;
/// or, for "random", of width 1.0 at 64x64 from wanted.seed. Its history says so. `say` hears how
/// the file was read and what became of the head. Throws what load_checkpoint() throws.
Checkpoint start_from_weights(const std::string& weights, const std::vector<std::string>& classes,
                              Wanted wanted, const std::function<void(const std::string&)>& say);

/// Before the data are read, whose classes start_from_weights() wants: how many pixels a side they
/// will be given to the network with, and how they are to be brought to that. Throws likewise.
std::pair<int64_t, Resize> images_of_weights(const std::string& weights, Wanted wanted);

/// What stays zero when the model is trained: if it was pruned, its zeros, and `say` hears how many;
/// else nothing.
Masks zeros_to_keep(const Checkpoint& checkpoint,
                    const std::function<void(const std::string&)>& say);

}  // namespace edgeprune
