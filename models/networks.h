#pragma once
// The networks that can be asked for by name: one table, in networks.cpp.

#include <string>
#include <vector>

#include "engine/graph/graph.h"

namespace edgeprune {

inline constexpr const char* kDefaultNetwork = "mobilenet_v2";

/// What a network is built from.
struct NetworkSpec {
  std::string name = kDefaultNetwork;
  double width = 1.0;  ///< times as many channels as in the paper
  int64_t input_size = 64, classes = 10;
};

/// Throws std::invalid_argument on an unknown name, listing the networks, and on what the network
/// cannot be: sizes out of range.
Graph build_network(const NetworkSpec& spec);

std::vector<std::string> network_names();
/// "mobilenet_v2 (Sandler et al. 2018), ...": for help texts.
std::string networks_explained();
bool is_network(const std::string& name);

/// Of what the graph was built from, as far as it can be told: a graph that names no network of the
/// table is refused by build_network().
NetworkSpec spec_of(const Graph& graph);

}  // namespace edgeprune
