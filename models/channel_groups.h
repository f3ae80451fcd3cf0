#pragma once
// Which channels of a MobileNetV2 are one and the same: they get narrower together or not at all.

#include <string>
#include <vector>

#include "models/architecture.h"

namespace edgeprune {

/// Element c of this tensor's axis belongs to channel c.
struct ChannelSlice {
  std::string tensor;  ///< name in the model's state_dict()
  size_t axis;         ///< 0: what writes the channel (filter, batch norm); 1: what reads it
};

/// Channels that several layers share. Either an expansion: a block's expanded channels, that is
/// the expanding convolution's filters, the depthwise ones, the batch norm behind each, and the
/// projection's input. Or a stream: what one layer puts out, every block of the same resolution
/// adds to, and the layers behind them read. A block that does not expand has its depthwise filters
/// in the stream that it reads.
struct ChannelGroup {
  std::string name;  ///< "features.2 expansion", "features.2-3 stream"
  int64_t channels = 0;
  std::vector<ChannelSlice> slices;
};

/// In the order in which the network makes the channels. Every convolution's output belongs to
/// exactly one group; the images' colours and the classes belong to none.
std::vector<ChannelGroup> channel_groups(const Architecture& architecture);

/// The network before any channels were removed: the paper's of the same width, input size and
/// classes; or the network as it is, if its blocks are others or wider than those.
Architecture unpruned(const Architecture& architecture);

/// The same network with `channels[i]` channels in group i. Throws std::invalid_argument unless
/// there is a positive count for every group.
Architecture with_channels(Architecture architecture, const std::vector<int64_t>& channels);

}  // namespace edgeprune
