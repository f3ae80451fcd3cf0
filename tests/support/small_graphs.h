#pragma once
// Networks of a few nodes that branch.

#include <string>

#include "engine/base/random.h"
#include "engine/graph/graph.h"

namespace edgeprune::testing {

/// A convolution with its batch norm and, unless it is none, an activation: NAME, NAME.norm, NAME.act.
/// Returns the last one's index.
inline size_t append_unit(Graph& graph, const std::string& name, Kind convolution, size_t input,
                          Activation activation) {
  size_t last = graph.append(name, convolution, {input});
  last = graph.append(name + ".norm", kind::BatchNorm{}, {last});
  if (activation == Activation::none) return last;
  return graph.append(name + ".act", kind::Activate{activation}, {last});
}

/// Images [3,8,8]; a stem of 6 channels, a block that expands to 12, squeezes, excites and adds its
/// input; 10 classes.
inline Graph squeeze_and_excite_graph(Activation gate = Activation::relu6) {
  using kind::Convolution;
  Graph graph;
  const size_t images = graph.append("images", kind::Input{3, 8, 8}, {});
  const size_t stem =
      append_unit(graph, "stem", Convolution{6, 3, 1, 1}, images, Activation::relu6);
  const size_t wide = append_unit(graph, "expand", Convolution{12}, stem, Activation::relu6);
  const size_t pooled = graph.append("squeeze", kind::GlobalAveragePool{}, {wide});
  const size_t fc1 = graph.append("excite.fc1", Convolution{4, 1, 1, 0, true}, {pooled});
  const size_t act = graph.append("excite.act", kind::Activate{Activation::relu6}, {fc1});
  const size_t fc2 = graph.append("excite.fc2", Convolution{12, 1, 1, 0, true}, {act});
  const size_t factors = graph.append("excite.gate", kind::Activate{gate}, {fc2});
  const size_t excited = graph.append("excite", kind::Multiply{}, {wide, factors});
  const size_t narrow = append_unit(graph, "project", Convolution{6}, excited, Activation::none);
  const size_t sum = graph.append("sum", kind::Add{}, {stem, narrow});
  const size_t pool = graph.append("pool", kind::GlobalAveragePool{}, {sum});
  graph.append("head", kind::Linear{10}, {pool});
  return graph;
}

/// A network of images [3,16,16] that branches as real ones do: inverted residuals with and without
/// squeeze-and-excite, residual blocks with and without a convolution on the shortcut, a max pool, a
/// hidden linear layer. Channels, kernels, strides and activations are drawn.
class RandomGraph {
 public:
  explicit RandomGraph(uint64_t seed) : rng_(seed) {}

  Graph make() {
    size_t last = graph_.append("images", kind::Input{3, 16, 16}, {});
    last =
        unit("features.0", kind::Convolution{channels_ = draw(4, 9), 3, 1 + draw(0, 1), 1}, last);
    if (draw(0, 1) == 1) last = graph_.append("maxpool", kind::MaxPool{3, 2, 1}, {last});
    for (int i = 1; i <= 4; ++i) {
      const std::string name = "features." + std::to_string(i);
      last = draw(0, 1) == 0 ? inverted_residual(name, last) : residual(name, last);
    }
    last = graph_.append("pool", kind::GlobalAveragePool{}, {last});
    if (draw(0, 1) == 1) {
      last = graph_.append("hidden", kind::Linear{draw(5, 9)}, {last});
      last = graph_.append("hidden.act", kind::Activate{activation()}, {last});
    }
    graph_.append("head", kind::Linear{10}, {last});
    return std::move(graph_);
  }

 private:
  int64_t draw(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(rng_.below(static_cast<uint64_t>(most - least + 1)));
  }
  /// All of them leave zero as it is.
  Activation activation() {
    constexpr Activation kChoices[] = {Activation::relu, Activation::relu6, Activation::hard_swish};
    return kChoices[draw(0, 2)];
  }
  size_t unit(const std::string& name, const Kind& convolution, size_t input) {
    return append_unit(graph_, name, convolution, input, activation());
  }

  size_t inverted_residual(const std::string& name, size_t input) {
    const int64_t wide = draw(8, 20), stride = draw(1, 2),
                  out = draw(0, 1) ? channels_ : draw(4, 9);
    const int64_t kernel = 3 + 2 * draw(0, 1);
    size_t last = unit(name + ".expand", kind::Convolution{wide}, input);
    last = unit(name + ".depthwise", kind::Depthwise{kernel, stride, kernel / 2}, last);
    if (draw(0, 1) == 1) {
      size_t factors = graph_.append(name + ".pool", kind::GlobalAveragePool{}, {last});
      factors =
          graph_.append(name + ".fc1", kind::Convolution{draw(3, 6), 1, 1, 0, true}, {factors});
      factors = graph_.append(name + ".fc1.act", kind::Activate{Activation::relu}, {factors});
      factors = graph_.append(name + ".fc2", kind::Convolution{wide, 1, 1, 0, true}, {factors});
      factors = graph_.append(name + ".gate", kind::Activate{Activation::hard_sigmoid}, {factors});
      last = graph_.append(name + ".scale", kind::Multiply{}, {last, factors});
    }
    last = append_unit(graph_, name + ".project", kind::Convolution{out}, last, Activation::none);
    const bool adds = stride == 1 && out == channels_;
    channels_ = out;
    return adds ? graph_.append(name, kind::Add{}, {input, last}) : last;
  }

  size_t residual(const std::string& name, size_t input) {
    const int64_t stride = draw(1, 2), out = draw(0, 1) == 1 ? channels_ : draw(4, 9);
    size_t shortcut = input;
    if (stride != 1 || out != channels_) {
      shortcut = append_unit(graph_, name + ".downsample", kind::Convolution{out, 1, stride, 0},
                             input, Activation::none);
    }
    size_t last = unit(name + ".conv1", kind::Convolution{draw(4, 9), 3, stride, 1}, input);
    last = append_unit(graph_, name + ".conv2", kind::Convolution{out, 3, 1, 1}, last,
                       Activation::none);
    last = graph_.append(name, kind::Add{}, {shortcut, last});
    channels_ = out;
    return graph_.append(name + ".act", kind::Activate{activation()}, {last});
  }

  Graph graph_;
  Rng rng_;
  int64_t channels_ = 0;
};

}  // namespace edgeprune::testing
