#include "tools/training/prune_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace edgeprune {
namespace {

double share_gone(int64_t whole, int64_t left) {
  return 1.0 - double(left) / double(whole);
}

/// By layer, the output channels that have a weight which is not zero.
std::vector<int64_t> live_channels(const nn::Network& model) {
  std::vector<int64_t> live;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const Tensor& value = weight.variable.value();
    const int64_t size = value.count() / value.dim(0);
    live.push_back(0);
    for (int64_t c = 0; c < value.dim(0); ++c) {
      const float* filter = value.data() + c * size;
      live.back() += std::any_of(filter, filter + size, [](float w) { return w != 0.0f; });
    }
  }
  return live;
}

}  // namespace

Reduction reduction(const ModelSummary& whole, const ModelSummary& now) {
  return {share_gone(whole.parameters, now.nonzero_parameters),
          share_gone(whole.prunable, now.nonzero_prunable),
          share_gone(whole.multiply_adds, now.nonzero_multiply_adds)};
}

ModelSummary summarize_unpruned(const nn::Network& model) {
  return summarize(nn::Network(unpruned(model.graph()), 0));
}

Table plan_table() {
  return Table({{"step", "step"},
                {"layer", "layer", Align::left},
                {"weights", "weights"},
                {"zero before", "zeros_before"},
                {"to go", "weights_to_go"},
                {"zero after", "zeros_after"},
                {"channels to go", "channels_to_go"},
                {"sparsity %", "sparsity_percent"},
                {"multiply-adds removed %", "multiply_adds_removed_percent"},
                {"left", "multiply_adds_left"}});
}

void add_plan_rows(Table& table, size_t step, const ModelSummary& whole, const nn::Network& before,
                   const nn::Network& after) {
  const auto add = [&](const std::string& name, int64_t count, int64_t nonzero_before,
                       int64_t nonzero_after, Cell channels, Cell removed, Cell left) {
    table.add_row({static_cast<int64_t>(step), name, count, count - nonzero_before,
                   nonzero_before - nonzero_after, count - nonzero_after, channels,
                   Number{100 * share_gone(count, nonzero_after), 2}, removed, left});
  };
  const ModelSummary was = summarize(before), is = summarize(after);
  const std::vector<int64_t> live_before = live_channels(before), live_after = live_channels(after);
  int64_t channels = 0;
  for (size_t i = 0; i < whole.layers.size(); ++i) {
    const LayerSummary &all = whole.layers[i], &now = is.layers[i];
    channels += live_before[i] - live_after[i];
    add(all.name, all.parameters, was.layers[i].nonzeros, now.nonzeros,
        live_before[i] - live_after[i],
        Number{100 * share_gone(all.multiply_adds, now.nonzero_multiply_adds), 2},
        now.nonzero_multiply_adds);
  }
  const Reduction gone = reduction(whole, is);
  add("all prunable", whole.prunable, was.nonzero_prunable, is.nonzero_prunable, channels,
      Number{100 * gone.multiply_adds, 2}, is.nonzero_multiply_adds);
  add("all parameters", whole.parameters, was.nonzero_parameters, is.nonzero_parameters, {}, {},
      {});
}

Table trajectory_table() {
  return Table({{"step", "step"},
                {"fraction", "fraction"},
                {"of", "of", Align::left},
                {"sparsity %", "sparsity_percent"},
                {"of prunable %", "prunable_sparsity_percent"},
                {"multiply-adds removed %", "multiply_adds_removed_percent"},
                {"left", "multiply_adds_left"},
                {"accuracy before fine-tuning %", "accuracy_before_percent"},
                {"accuracy %", "accuracy_percent"},
                {"seconds", "seconds"},
                {"kept", "kept", Align::left}});
}

void add_trajectory_row(Table& table, size_t number, const TrajectoryStep& step,
                        const ModelSummary& whole) {
  const Reduction gone{share_gone(whole.parameters, step.nonzero_parameters),
                       share_gone(whole.prunable, step.nonzero_prunable),
                       share_gone(whole.multiply_adds, step.nonzero_multiply_adds)};
  table.add_row({static_cast<int64_t>(number), Number{step.step.fraction, 4},
                 to_string(step.step.base), Number{100 * gone.parameters, 2},
                 Number{100 * gone.prunable, 2}, Number{100 * gone.multiply_adds, 2},
                 step.nonzero_multiply_adds, Number{100 * step.accuracy_before, 2},
                 Number{100 * step.accuracy, 2}, Number{step.seconds, 1},
                 step.kept ? "yes" : "no"});
}

std::string to_string(const Reduction& reduction, int64_t multiply_adds_left) {
  return fmt::format(
      "{:.2f} % of all parameters, {:.2f} % of the prunable weights, {:.2f} % of the multiply-adds "
      "zero or gone; {} multiply-adds left",
      100 * reduction.parameters, 100 * reduction.prunable, 100 * reduction.multiply_adds,
      multiply_adds_left);
}

}  // namespace edgeprune
