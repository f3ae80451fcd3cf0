#pragma once
// Channels between layers that carry nothing: zeros in the weights make whole channels superfluous, and
// with them their part of a depthwise layer, which has no zeros of its own to skip.

#include "engine/inference/graph.h"

namespace edgeprune::inference {

/// Three layers, each read by the next one alone: what makes the wide map, what keeps its channels
/// apart (a depthwise 3x3 convolution or the average pool), and a 1x1 convolution.
struct Block {
  Layer widen, middle, narrow;
};

/// A block that computes the same, rounding aside, with fewer wide channels. Those are left out that
/// `narrow` does not read, and those that are the same for every image, as no weight of theirs reads
/// the input: their contribution is added to `narrow`'s bias. Where a depthwise layer makes it differ
/// at the borders of the map, at most eight channels that tell the borders take the place of them all.
/// One channel is always left.
Block without_constant_channels(const Block& block);

}  // namespace edgeprune::inference
