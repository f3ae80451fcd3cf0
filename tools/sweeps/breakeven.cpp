#include "tools/sweeps/breakeven.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "models/fold.h"
#include "models/summary.h"
#include "pruning/masks.h"

namespace edgeprune {
namespace {

constexpr double kMet = 0.001;  // a level this near is met

bool is_sparse_layer(const inference::Layer& layer) {
  return layer.kind == inference::Layer::Kind::convolution && layer.shape.pointwise();
}

LayerTime time_of(const std::string& layer, const std::vector<LayerTime>& times) {
  const auto found = std::find_if(times.begin(), times.end(),
                                  [&](const LayerTime& time) { return time.layer == layer; });
  if (found != times.end()) return *found;
  return {.layer = layer, .kernel = "", .ms = std::numeric_limits<double>::quiet_NaN()};
}

}  // namespace

BreakEven break_even(std::vector<std::pair<double, double>> points) {
  std::erase_if(points, [](const auto& point) {
    return !std::isfinite(point.first) || !std::isfinite(point.second);
  });
  require(!points.empty(), "break-even", "there is no measurement");
  std::stable_sort(points.begin(), points.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto slow = std::find_if(points.rbegin(), points.rend(),
                                 [](const auto& point) { return point.second < 1; });
  if (slow == points.rend()) return {BreakEven::Kind::always};
  if (slow == points.rbegin()) return {BreakEven::Kind::never};
  const auto& [x0, y0] = *slow;
  const auto& [x1, y1] = *std::prev(slow);
  return {BreakEven::Kind::at, x0 + (x1 - x0) * (1 - y0) / (y1 - y0)};
}

std::string to_string(const BreakEven& result) {
  switch (result.kind) {
    case BreakEven::Kind::always:
      return "always";
    case BreakEven::Kind::never:
      return "never";
    default:
      return fmt::format("{:.1f} %", 100 * result.sparsity);
  }
}

std::vector<double> parse_levels(std::vector<double> percentages) {
  require(!percentages.empty(), "levels", "there are none");
  for (double& level : percentages) {
    require(level >= 0 && level < 100, "levels", "expected percentages in [0, 100), got {}", level);
    level /= 100;
  }
  std::sort(percentages.begin(), percentages.end());
  percentages.erase(std::unique(percentages.begin(), percentages.end()), percentages.end());
  return percentages;
}

std::vector<PrunedGraph> prune_to_levels(MobileNetV2& model, const std::vector<double>& levels) {
  std::vector<PrunedGraph> graphs;
  for (const double level : levels) {
    const double zeros = summarize(model).prunable_sparsity();
    require(
        zeros <= level + kMet, "levels",
        "{:.1f} % of the prunable weights are zero already: levels below that are out of reach, "
        "got {:g}",
        100 * zeros, 100 * level);
    if (zeros < level - kMet) {
      apply_masks(make_masks(model, Method::magnitude, level), model);
    }
    graphs.push_back({level, std::make_shared<const inference::Graph>(fold_batch_norm(model))});
  }
  return graphs;
}

const std::vector<inference::Engine>& breakeven_engines() {
  using inference::Engine;
  static const std::vector<Engine> kEngines = {Engine::dense, Engine::sparse, Engine::automatic};
  return kEngines;
}

Sweep measure_sweep(const std::vector<PrunedGraph>& levels, int batch, int threads,
                    LatencyOptions options) {
  options.per_layer = true;
  std::vector<LatencyCase> cases;
  for (const PrunedGraph& pruned : levels) {
    for (const auto engine : breakeven_engines()) {
      cases.push_back({pruned.graph, engine, batch, threads});
    }
  }
  std::vector<LatencyResult> results = measure_latency(cases, options);
  Sweep sweep{batch, threads, levels, {}};
  auto next = std::make_move_iterator(results.begin());
  const auto engines = static_cast<std::ptrdiff_t>(breakeven_engines().size());
  for (size_t i = 0; i < levels.size(); ++i, next += engines) {
    sweep.results.emplace_back(next, next + engines);
  }
  return sweep;
}

double Sweep::speedup(size_t level, size_t engine) const {
  return results[level][0].cell.median / results[level][engine].cell.median;
}

BreakEven Sweep::network_break_even(size_t engine) const {
  std::vector<std::pair<double, double>> points;
  for (size_t i = 0; i < levels.size(); ++i) {
    points.emplace_back(levels[i].level, speedup(i, engine));
  }
  return break_even(points);
}

std::vector<LayerCurve> layer_curves(const Sweep& sweep) {
  std::vector<LayerCurve> curves;
  for (const inference::Layer& layer : sweep.levels.front().graph->layers) {
    if (!is_sparse_layer(layer)) continue;
    const Conv2dShape& s = layer.shape;
    curves.push_back({.name = layer.name,
                      .shape = fmt::format("{}→{}, {}×{}", s.in_channels, s.out_channels,
                                           s.in_height, s.in_width),
                      .sparsity = {},
                      .time = {}});
  }
  for (size_t level = 0; level < sweep.levels.size(); ++level) {
    std::vector<std::vector<LayerTime>> engines;
    for (const LatencyResult& result : sweep.results[level]) {
      engines.push_back(layer_times(result.steps));
    }
    auto curve = curves.begin();
    for (const inference::Layer& layer : sweep.levels[level].graph->layers) {
      if (!is_sparse_layer(layer)) continue;
      curve->sparsity.push_back(layer.zeros());
      std::vector<LayerTime>& times = curve->time.emplace_back();
      for (const auto& engine : engines) times.push_back(time_of(layer.name, engine));
      ++curve;
    }
  }
  return curves;
}

double LayerCurve::speedup(size_t level, size_t engine) const {
  return time[level][0].ms / time[level][engine].ms;
}

BreakEven LayerCurve::break_even(size_t engine) const {
  std::vector<std::pair<double, double>> points;
  for (size_t i = 0; i < sparsity.size(); ++i) points.emplace_back(sparsity[i], speedup(i, engine));
  return edgeprune::break_even(points);
}

double speedup_of_others(const Sweep& sweep, size_t level, size_t engine) {
  const inference::Graph& graph = *sweep.levels[level].graph;
  const auto others = [&](const LatencyResult& result) {
    double ms = 0;
    for (const LayerTime& time : layer_times(result.steps)) {
      const bool sparse =
          std::any_of(graph.layers.begin(), graph.layers.end(), [&](const inference::Layer& layer) {
            return layer.name == time.layer && is_sparse_layer(layer);
          });
      if (!sparse) ms += time.ms;
    }
    return ms;
  };
  return others(sweep.results[level][0]) / others(sweep.results[level][engine]);
}

}  // namespace edgeprune
