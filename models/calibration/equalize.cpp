#include <algorithm>
#include <cmath>

#include "models/calibration/calibrate.h"

namespace edgeprune {
namespace {

/// Nodes of two convolutions, of which the second alone reads the first, through an activation or none that lets
/// positive factors pass. ReLU6 between them is made ReLU in `graph`.
std::vector<std::pair<size_t, size_t>> find_pairs(Graph& graph) {
  const auto readers = readers_of(graph);
  const auto convolves = [&](size_t node) {
    const Kind& kind = graph.nodes[node].kind;
    return std::holds_alternative<kind::Convolution>(kind) ||
           std::holds_alternative<kind::Depthwise>(kind);
  };
  std::vector<std::pair<size_t, size_t>> pairs;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!convolves(i) || readers[i].size() != 1) continue;
    size_t reader = readers[i].front();
    auto* const between = std::get_if<kind::Activate>(&graph.nodes[reader].kind);
    if (between != nullptr) {
      const bool lets_pass =
          between->activation == Activation::relu || between->activation == Activation::relu6;
      if (!lets_pass || readers[reader].size() != 1) continue;
      reader = readers[reader].front();
    }
    if (!convolves(reader)) continue;
    if (between != nullptr) between->activation = Activation::relu;
    pairs.emplace_back(i, reader);
  }
  return pairs;
}

/// By input channel of a convolution: its weights, [O,I/groups,k,k], are visited with that channel.
template <typename Visit>
void for_each_input(nn::Placed<nn::Conv2d>& layer, const Visit& visit) {
  Tensor& weight = layer.weight.value();
  const int64_t outputs = weight.dim(0), inputs = weight.dim(1),
                taps = weight.dim(2) * weight.dim(3);
  for (int64_t i = 0; i < weight.count(); ++i) {
    const int64_t output = i / (inputs * taps), input = i / taps % inputs;
    visit(size_t(output * layer.shape.groups / outputs * inputs + input), weight.data()[i]);
  }
}

/// Returns by how much the channel that changed most did, as a logarithm.
double equalize_pair(nn::Placed<nn::Conv2d>& first, nn::Placed<nn::Conv2d>& second) {
  Tensor &weight = first.weight.value(), &bias = first.bias.value();
  const auto channels = static_cast<size_t>(weight.dim(0));
  const int64_t per_row = weight.count() / weight.dim(0);
  std::vector<float> before(channels), after(channels), factor(channels, 1.0f);
  for (int64_t i = 0; i < weight.count(); ++i) {
    float& largest = before[size_t(i / per_row)];
    largest = std::max(largest, std::abs(weight.data()[i]));
  }
  for_each_input(second, [&](size_t c, float& w) { after[c] = std::max(after[c], std::abs(w)); });
  double change = 0;
  for (size_t c = 0; c < channels; ++c) {
    if (before[c] == 0 || after[c] == 0) continue;  // a dead channel
    factor[c] = std::sqrt(before[c] / after[c]);
    change = std::max(change, std::abs(std::log(double(factor[c]))));
  }
  for (int64_t i = 0; i < weight.count(); ++i) weight.data()[i] /= factor[size_t(i / per_row)];
  for (size_t c = 0; c < channels; ++c) bias.data()[c] /= factor[c];
  for_each_input(second, [&](size_t c, float& w) { w *= factor[c]; });
  return change;
}

}  // namespace

std::unique_ptr<nn::Network> equalized(const nn::Network& network) {
  constexpr int kRounds = 40;
  constexpr double kSettled = 1e-3;
  Graph graph = network.graph();
  const auto pairs = find_pairs(graph);
  auto result = std::make_unique<nn::Network>(std::move(graph));
  result->load_state_dict(network.state_dict());
  result->train(network.training());
  const auto at = [&](size_t node) -> nn::Placed<nn::Conv2d>& {
    return **std::find_if(result->convolutions().begin(), result->convolutions().end(),
                          [&](const auto& layer) { return layer->node == node; });
  };
  for (int round = 0; round < kRounds; ++round) {
    double change = 0;
    for (const auto& [first, second] : pairs) {
      change = std::max(change, equalize_pair(at(first), at(second)));
    }
    if (change < kSettled) break;
  }
  return result;
}

}  // namespace edgeprune
