#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/nn/layers.h"

namespace edgeprune::nn {

/// A layer with parameters at its place in a graph.
template <typename Layer>
struct Placed : Layer {
  template <typename... Args>
  Placed(size_t node_index, std::string node_name, const Conv2dShape& node_shape, Args&&... args)
      : Layer(std::forward<Args>(args)...),
        node(node_index),
        name(std::move(node_name)),
        shape(node_shape) {}

  size_t node;       ///< its index in the graph
  std::string name;  ///< the node's; parameters are called this + ".weight" ...
  /// What it is to the kernels, batch 1; of a batch norm, which changes no shape: its map.
  Conv2dShape shape;
};

/// What may look at, or replace, the numbers of a network as it runs forward (PyTorch calls that forward
/// hooks): quantisation takes ranges by it, and rounds.
class ForwardHooks {
 public:
  virtual ~ForwardHooks() = default;
  /// What a convolution or a linear layer computes with in place of its weight.
  virtual Variable weight([[maybe_unused]] size_t node, const Variable& weight) { return weight; }
  /// What an activation that runs by itself puts out.
  virtual Variable activation(size_t node, const Variable& input, Activation activation);
  /// What is handed on in place of a node's output.
  virtual Variable output([[maybe_unused]] size_t node, const Variable& output) { return output; }
};

/// A graph and its parameters, which are called after its nodes.
class Network : public Module {
 public:
  /// Weights are zero, for a state dict to be loaded. (To draw millions that are overwritten at once
  /// would take most of a short command's time.) Throws std::invalid_argument on what is no network.
  explicit Network(Graph graph);
  /// Weights are torchvision's initial ones, drawn from `seed` in the order of the nodes.
  Network(Graph graph, uint64_t seed);

  /// images [N,H,W,C] (normalised, of the graph's size) to logits [N,classes]. `dropout` is drawn from
  /// in training only. A batch norm that applies the activation behind it has the same output as that one.
  /// Throws std::invalid_argument if the images are of another size.
  Variable forward(const Variable& images, Rng& dropout, ForwardHooks* hooks = nullptr);

  const Graph& graph() const { return graph_; }
  const std::vector<MapShape>& shapes() const { return shapes_; }  ///< by node

  template <typename Layer>
  using Layers = std::vector<std::unique_ptr<Placed<Layer>>>;
  // In the order in which they run.
  const Layers<Conv2d>& convolutions() const { return convolutions_; }  ///< depthwise ones, too
  const Layers<BatchNorm2d>& norms() const { return norms_; }
  const Layers<Linear>& linears() const { return linears_; }
  /// The layer that gives the logits.
  Placed<Linear>& head() const { return *linears_.back(); }

  void set_dropout_rate(float rate);  ///< of all its dropouts

 private:
  /// What a node's forward has to know.
  struct Step {
    size_t layer = 0;             ///< its index among those of its sort
    bool gives_moments = false;   ///< a convolution that only a batch norm reads
    bool takes_moments = false;   ///< that batch norm
    bool done_before = false;     ///< an activation that the batch norm before it applies
    std::vector<size_t> release;  ///< inputs that nobody reads after it
  };
  void add_convolution(size_t node, bool bias);
  void add_norm(size_t node, const std::vector<std::vector<size_t>>& readers);
  void add_linear(size_t node);

  Graph graph_;
  std::vector<MapShape> shapes_;
  std::vector<Step> steps_;  ///< by node
  Layers<Conv2d> convolutions_;
  Layers<BatchNorm2d> norms_;
  Layers<Linear> linears_;
};

}  // namespace edgeprune::nn
