#pragma once
// Which channels of a network are one and the same: they get narrower together or not at all.

#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace edgeprune {

/// Element c of this tensor's axis belongs to channel c.
struct ChannelSlice {
  std::string tensor;  ///< name in the model's state_dict()
  size_t axis;         ///< 0: what writes the channel (filter, batch norm); 1: what reads it
};

/// Channels that several layers share: a convolution or a linear layer makes new ones; a depthwise
/// convolution, batch norm, activations and pools pass them on; sums and products make their inputs'
/// channels one. Either inner ones, which one block makes and reads (an inverted residual's expansion:
/// the expanding convolution's filters, the depthwise ones, the batch norm behind each, and the
/// projection's input); or a stream: what one layer puts out, every block of the same resolution adds
/// to, and the layers behind them read.
struct ChannelGroup {
  /// "features.2 expansion" (inner ones with a depthwise convolution), "layer1.0.conv1 channels" (other
  /// inner ones), "features.2-3 stream".
  std::string name;
  int64_t channels = 0;
  std::vector<ChannelSlice> slices;
};

/// In the order in which the network makes the channels. Every convolution's output belongs to at most
/// one group; the images' colours and the classes, and what is added to them, belong to none.
std::vector<ChannelGroup> channel_groups(const Graph& graph);

/// The network before any channels were removed: the one of the same name, width, input size and
/// classes as it is built; or the network as it is, if it has other groups, or wider ones, than that.
Graph unpruned(const Graph& graph);

/// The same network with `channels[i]` channels in group i. Throws std::invalid_argument unless
/// there is a positive count for every group.
Graph with_channels(Graph graph, const std::vector<int64_t>& channels);

}  // namespace edgeprune
