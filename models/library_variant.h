#pragma once
// In what networks of other libraries compute otherwise than those of the same name here.

#include <map>
#include <string>

#include "engine/base/names.h"
#include "engine/graph/graph.h"
#include "engine/tensor/archive.h"
#include "models/library_names.h"

namespace edgeprune {

/// Where weights were trained, which no tensor shows.
enum class TrainedIn { guessed, pytorch, tensorflow };

inline constexpr Named<TrainedIn> kTrainedIn[] = {
    {TrainedIn::guessed, "guessed", "from the names"},
    {TrainedIn::pytorch, "pytorch", "padding on both sides alike"},
    {TrainedIn::tensorflow, "tensorflow",
     "as timm's tf_ networks: batch norm with epsilon 1e-3, padding SAME, images scaled to [-1, "
     "1]"}};
static_assert(in_order(kTrainedIn));

/// What is to be changed.
struct Variant {
  float eps = 0;              ///< of batch norm; 0 for the network's own
  bool relu6 = false;         ///< in place of ReLU
  bool same_padding = false;  ///< TensorFlow's: what is odd is padded on the right and below
  bool centred = false;       ///< images are scaled to [-1, 1], not normalised as ImageNet
};

/// timm's networks have epsilon 1e-5 everywhere, and ReLU6 in MobileNetV1; transformers' mobilenets came
/// from TensorFlow.
Variant variant_of(Library library, const std::string& network, TrainedIn trained_in);

/// Changes the graph, which is for images of its own input size, and the weights with it. Padding that is
/// not alike on both sides becomes a kernel one larger, whose first row and column are zero: exact, at
/// the price of the arithmetic. Returns how many zeros that put in. Throws std::invalid_argument that names
/// the node where nothing expresses it (pooling).
int64_t apply_variant(const Variant& variant, Graph& graph, std::map<std::string, Array>& arrays);

/// Of a graph that has padding SAME for images of its own input size. Throws std::invalid_argument, naming
/// both sizes and the first node, if SAME would pad images of `pixels` a side otherwise.
void require_same_padding(const Graph& graph, int64_t pixels);

}  // namespace edgeprune
