#pragma once
// What other libraries call the parts of the networks that are here under torchvision's names.

#include <map>
#include <optional>
#include <string>

#include "engine/base/names.h"
#include "engine/tensor/archive.h"

namespace edgeprune {

enum class Library { torchvision, timm, hugging_face };

inline constexpr Named<Library> kLibraries[] = {
    {Library::torchvision, "torchvision"},
    {Library::timm, "timm"},
    {Library::hugging_face, "Hugging Face transformers"}};
static_assert(in_order(kLibraries));

/// A network of the table (models/networks.h) as a library names it.
struct NamedNetwork {
  Library library = Library::torchvision;
  std::string network;
  std::map<std::string, std::string> modules =
      {};  ///< theirs to ours: "conv_stem" to "features.0.0"
};

/// A library's names of a network's modules with weights, theirs to ours; none where it has not the network,
/// or calls it as torchvision does.
std::map<std::string, std::string> names_in(Library library, const std::string& network);

/// The network and library whose names most of these are; none if they are torchvision's or nobody's.
std::optional<NamedNetwork> find_library(const std::map<std::string, Array>& arrays);

/// Gives the arrays torchvision's names, and those that a library keeps as 1x1 convolutions where
/// torchvision has linear layers their shape. What has no name in the network stays.
std::map<std::string, Array> renamed(std::map<std::string, Array> arrays,
                                     const NamedNetwork& network);

}  // namespace edgeprune
