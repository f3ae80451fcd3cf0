#include "engine/nn/network.h"

#include "engine/base/check.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"

namespace edgeprune::nn {
namespace {

/// A node's output is [N,H,W,C], or, of a global pool or a linear layer, [N,C]: which of the two a
/// reader wants depends on the reader.
Variable as_map(const Variable& x) {
  const Shape& shape = x.shape();
  return shape.rank() == 4 ? x : ops::reshape(x, {shape[0], 1, 1, shape[1]});
}
Variable as_rows(const Variable& x) {
  const Shape& shape = x.shape();
  return shape.rank() == 2 ? x : ops::reshape(x, {shape[0], shape[3]});
}

}  // namespace

Variable ForwardHooks::activation(size_t /*node*/, const Variable& input, Activation activation) {
  return ops::activate(input, activation);
}

Network::Network(Graph graph)
    : graph_(std::move(graph)), shapes_(infer_shapes(graph_)), steps_(graph_.nodes.size()) {
  const auto readers = readers_of(graph_);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& node = graph_.nodes[i];
    std::visit(overloaded{
                   [](const kind::Input&) {},
                   [&](const kind::Convolution& k) { add_convolution(i, k.bias); },
                   [&](const kind::Depthwise& k) { add_convolution(i, k.bias); },
                   [&](const kind::BatchNorm&) { add_norm(i, readers); },
                   [](const kind::Activate&) {},
                   [](const kind::Add&) {},
                   [](const kind::Multiply&) {},
                   [](const kind::MaxPool&) {},
                   [](const kind::GlobalAveragePool&) {},
                   [](const kind::Dropout&) {},
                   [&](const kind::Linear&) { add_linear(i); },
               },
               node.kind);
    for (const size_t input : node.inputs) {
      if (readers[input].back() == i) steps_[i].release.push_back(input);
    }
  }
}

Network::Network(Graph graph, uint64_t seed) : Network(std::move(graph)) {
  Rng rng(seed);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Kind& kind = graph_.nodes[i].kind;
    if (std::holds_alternative<kind::Linear>(kind)) {
      linears_[steps_[i].layer]->draw(rng);
    } else if (conv2d_shape(kind, shapes_[i])) {
      convolutions_[steps_[i].layer]->draw(rng);
    }
  }
}

void Network::add_convolution(size_t i, bool bias) {
  const Node& node = graph_.nodes[i];
  const Conv2dShape shape = conv2d_shape(node.kind, shapes_[node.inputs[0]]).value();
  steps_[i].layer = convolutions_.size();
  auto& layer = convolutions_.emplace_back(std::make_unique<Placed<Conv2d>>(
      i, node.name, shape, shape.in_channels, shape.out_channels, shape.kernel,
      ops::Conv2dParams{shape.stride, shape.padding, shape.groups}, bias));
  add_module(node.name, *layer);
}

void Network::add_norm(size_t i, const std::vector<std::vector<size_t>>& readers) {
  const Node& node = graph_.nodes[i];
  const auto& attributes = std::get<kind::BatchNorm>(node.kind);
  const auto [channels, height, width] = shapes_[i];
  Activation activation = Activation::none;
  if (readers[i].size() == 1) {
    const size_t reader = readers[i].front();
    if (const auto* next = std::get_if<kind::Activate>(&graph_.nodes[reader].kind)) {
      activation = next->activation;
      steps_[reader].done_before = true;
    }
  }
  const size_t input = node.inputs[0];
  const bool convolved = std::holds_alternative<kind::Convolution>(graph_.nodes[input].kind) ||
                         std::holds_alternative<kind::Depthwise>(graph_.nodes[input].kind);
  if (convolved && readers[input].size() == 1) {
    steps_[input].gives_moments = steps_[i].takes_moments = true;
  }
  const Conv2dShape map{
      .in_height = height, .in_width = width, .in_channels = channels, .out_channels = channels};
  steps_[i].layer = norms_.size();
  auto& layer = norms_.emplace_back(
      std::make_unique<Placed<BatchNorm2d>>(i, node.name, map, channels, activation));
  layer->state.eps = attributes.eps;
  layer->state.momentum = attributes.momentum;
  add_module(node.name, *layer);
}

void Network::add_linear(size_t i) {
  const Node& node = graph_.nodes[i];
  const Conv2dShape shape = conv2d_shape(node.kind, shapes_[node.inputs[0]]).value();
  steps_[i].layer = linears_.size();
  auto& layer = linears_.emplace_back(
      std::make_unique<Placed<Linear>>(i, node.name, shape, shape.in_channels, shape.out_channels));
  add_module(node.name, *layer);
}

void Network::set_dropout_rate(float rate) {
  for (Node& node : graph_.nodes) {
    if (auto* dropout = std::get_if<kind::Dropout>(&node.kind)) dropout->rate = rate;
  }
}

Variable Network::forward(const Variable& images, Rng& dropout, ForwardHooks* hooks) {
  ForwardHooks none;
  if (hooks == nullptr) hooks = &none;
  const auto& [channels, height, width] = shapes_.front();
  const Shape& shape = images.shape();
  require(shape.rank() == 4 && shape[1] == height && shape[2] == width && shape[3] == channels,
          "network", "expected images [N,{},{},{}], got {}", height, width, channels, shape);
  std::vector<Variable> values(graph_.nodes.size());
  std::vector<ops::ChannelMoments> moments(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const Node& node = graph_.nodes[i];
    const Step& step = steps_[i];
    const auto input = [&](size_t k) -> const Variable& { return values[node.inputs[k]]; };
    const auto convolve = [&] {
      const bool wanted = step.gives_moments && training();
      const Conv2d& layer = *convolutions_[step.layer];
      return ops::conv2d(as_map(input(0)), hooks->weight(i, layer.weight), layer.params,
                         wanted ? &moments[i] : nullptr, layer.bias);
    };
    values[i] = std::visit(
        overloaded{
            [&](const kind::Input&) { return images; },
            [&](const kind::Convolution&) { return convolve(); },
            [&](const kind::Depthwise&) { return convolve(); },
            [&](const kind::BatchNorm&) {
              const bool known = step.takes_moments && training();
              return norms_[step.layer]->forward(input(0),
                                                 known ? &moments[node.inputs[0]] : nullptr);
            },
            [&](const kind::Activate& k) {
              return step.done_before ? input(0) : hooks->activation(i, input(0), k.activation);
            },
            [&](const kind::Add&) {
              const bool alike = input(0).shape().rank() == input(1).shape().rank();
              return alike ? ops::add(input(0), input(1))
                           : ops::add(as_map(input(0)), as_map(input(1)));
            },
            [&](const kind::Multiply&) { return ops::multiply(as_map(input(0)), input(1)); },
            [&](const kind::MaxPool& k) {
              return ops::max_pool(as_map(input(0)), {k.kernel, k.stride, k.padding});
            },
            [&](const kind::GlobalAveragePool&) {
              return ops::global_average_pool(as_map(input(0)));
            },
            [&](const kind::Dropout& k) {
              return ops::dropout(input(0), k.rate, training(), dropout);
            },
            [&](const kind::Linear&) {
              const Linear& layer = *linears_[step.layer];
              return ops::linear(as_rows(input(0)), hooks->weight(i, layer.weight), layer.bias);
            },
        },
        node.kind);
    values[i] = hooks->output(i, values[i]);
    for (const size_t done : step.release) {
      values[done] = Variable();
      moments[done] = {};
    }
  }
  return values.back();
}

}  // namespace edgeprune::nn
