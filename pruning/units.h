#pragma once
// What pruning takes or leaves as a whole: a single weight or a block of them, a layer's output channel, a channel of a
// group with all that makes and reads it. All are parts of parameters, and scored alike.

#include <functional>
#include <string>
#include <vector>

#include "engine/base/names.h"
#include "engine/nn/network.h"
#include "models/channel_groups.h"

namespace edgeprune {

/// What goes together where single weights go.
enum class WeightBlock { one, four_by_one };
inline constexpr Named<WeightBlock> kWeightBlocks[] = {
    {WeightBlock::one, "1x1", "each weight by itself"},
    {WeightBlock::four_by_one, "4x1",
     "the weights by which four neighbouring outputs read one input, scored as their mean: what "
     "sparse int8 kernels skip best"}};
static_assert(in_order(kWeightBlocks));
inline const char* to_string(WeightBlock block) {
  return name_of(kWeightBlocks, block);
}
/// Throws std::invalid_argument listing the choices.
inline WeightBlock parse_block(const std::string& name) {
  return value_of("block", kWeightBlocks, name);
}
constexpr int64_t outputs_in(WeightBlock block) {
  return block == WeightBlock::four_by_one ? 4 : 1;
}

/// A parameter that is shared out among units: value i is of unit i / inner % count. Or among blocks:
/// of `outputs` rows, in each of which value k belongs to the block's unit k.
struct Slice {
  std::string name;   ///< the parameter's
  Variable variable;  ///< a handle on the network's own
  int64_t inner = 1;
  int64_t outputs = 1, row = 1;  ///< of a block; values of a row
};

/// Units that are chosen among: of one layer, or of one group of channels.
struct Units {
  std::string name;  ///< the layer's, "features.1.conv.0.0", or the group's
  std::string what;  ///< what messages call them, "channels of features.2 expansion"
  int64_t count = 0;
  std::vector<Slice> slices;

  /// Calls visit(i, unit) for every value i of one of the slices, in order.
  template <typename Visit>
  void for_each_value(const Slice& slice, const Visit& visit) const {
    const int64_t values = slice.variable.value().count();
    if (slice.outputs > 1) {
      for (int64_t i = 0; i < values; ++i) {
        visit(i, static_cast<size_t>(i / (slice.outputs * slice.row) * slice.row + i % slice.row));
      }
      return;
    }
    for (int64_t i = 0; i < values;) {
      for (int64_t unit = 0; unit < count; ++unit) {
        for (int64_t k = 0; k < slice.inner; ++k) visit(i++, static_cast<size_t>(unit));
      }
    }
  }
};

/// Scores that are sums over units' values, as if each block had all its outputs: a layer's last blocks would else go
/// first because they are small.
void count_as_whole_blocks(const Units& units, std::vector<double>& sums);

/// The single weights of every layer (models/summary.h: prunable_weights()), or blocks of them. Where
/// outputs are no multiple of four, the last blocks are smaller.
std::vector<Units> weights_of(const nn::Network& model, WeightBlock block = WeightBlock::one);
/// The output channels of every Conv2d, depthwise ones included, by their weights alone. The linear
/// layers are left out.
std::vector<Units> output_channels_of(const nn::Network& model);
/// The channels of these groups, each with all its parameters, batch norms' included.
std::vector<Units> channels_of(const nn::Network& model, const std::vector<ChannelGroup>& groups);

/// A number for every unit: [units][unit]. What is zero (was pruned before) has 0, all else more.
using Scores = std::vector<std::vector<double>>;

/// Runs batches of data forward and backward; `after_batch` is called while the parameters of the
/// network in hand hold the gradients of one batch's mean loss.
using Gradients = std::function<void(const std::function<void()>& after_batch)>;
/// The same for whatever network is given, as pruning makes new ones on its way.
using Samples = std::function<void(nn::Network& model, const std::function<void()>& after_batch)>;

}  // namespace edgeprune
