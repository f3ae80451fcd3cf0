#include "tools/sweeps/breakeven.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/random.h"
#include "engine/inference/kernel_table.h"
#include "models/calibration/calibrate.h"
#include "models/fold.h"
#include "models/summary.h"
#include "pruning/masks.h"

namespace edgeprune {
namespace {

constexpr double kMet = 0.001;  // a level this near is met

/// How many times as fast as `reference`: by the rounds if both have them, else by the medians.
Interval factor_of(const LayerTime& reference, const LayerTime& own) {
  const double ratio = reference.ms / own.ms;
  if (own.rounds.empty() || own.rounds.size() != reference.rounds.size())
    return {ratio, ratio, ratio};
  std::vector<double> ratios;
  for (size_t i = 0; i < own.rounds.size(); ++i) {
    if (own.rounds[i] > 0) ratios.push_back(reference.rounds[i] / own.rounds[i]);
  }
  return ratios.empty() ? Interval{ratio, ratio, ratio} : median_interval(ratios);
}

LayerTime time_of(const std::string& layer, const std::vector<LayerTime>& times) {
  const auto found = std::find_if(times.begin(), times.end(),
                                  [&](const LayerTime& time) { return time.layer == layer; });
  if (found != times.end()) return *found;
  return {.layer = layer, .kernel = "", .ms = std::numeric_limits<double>::quiet_NaN()};
}

std::string shape_of(const Conv2dShape& s) {
  std::string window = s.kernel == 1 ? "" : fmt::format(", {0}×{0}", s.kernel);
  if (s.stride > 1) window += fmt::format("/{}", s.stride);
  return fmt::format("{}→{}{}, {}×{}", s.in_channels, s.out_channels, window, s.in_height,
                     s.in_width);
}

inference::Graph on_random_grids(const nn::Network& model) {
  const int64_t side = model.graph().input_size();
  Tensor images({1, side, side, 3});
  Rng rng(0);
  for (float& value : images.values()) value = rng.normal();
  const QuantizedNetwork quantized =
      quantize(model, {images}, {.observer = Observer::minmax, .correct_biases = false});
  return in_integers(*quantized.network, quantized.quantization);
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

BreakEvenRange break_even_range(const std::vector<std::pair<double, Interval>>& points) {
  const auto by = [&](double Interval::*end) {
    std::vector<std::pair<double, double>> values;
    for (const auto& [sparsity, factor] : points) values.emplace_back(sparsity, factor.*end);
    return break_even(std::move(values));
  };
  return {by(&Interval::median), by(&Interval::high), by(&Interval::low)};
}

std::string to_string(const BreakEvenRange& result) {
  const std::string at = to_string(result.at), earliest = to_string(result.earliest),
                    latest = to_string(result.latest);
  return at == earliest && at == latest ? at : fmt::format("{} ({} to {})", at, earliest, latest);
}

std::vector<double> sorted_levels(std::vector<double> levels) {
  require(!levels.empty(), "levels", "there are none");
  for (const double level : levels) {
    require(level >= 0 && level < 1, "levels", "expected fractions in [0, 1), got {}", level);
  }
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

std::vector<PrunedGraph> prune_to_levels(nn::Network& model, const std::vector<double>& levels,
                                         Numbers numbers) {
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
    graphs.push_back(
        {level, std::make_shared<const inference::Graph>(
                    numbers == Numbers::floats ? fold_batch_norm(model) : on_random_grids(model))});
  }
  return graphs;
}

std::vector<inference::Engine> breakeven_engines(Numbers numbers) {
  using inference::Engine;
  if (numbers == Numbers::integers) return {Engine::int8, Engine::int8_sparse, Engine::automatic};
  return {Engine::dense, Engine::sparse, Engine::automatic};
}

Numbers numbers_of(const std::vector<inference::Engine>& engines) {
  for (const Numbers numbers : {Numbers::floats, Numbers::integers}) {
    std::vector<inference::Engine> all = breakeven_engines(numbers);
    if (engines == all) return numbers;
    all.pop_back();
    if (engines == all) return numbers;
  }
  throw std::invalid_argument(
      "[breakeven] --engine: expected dense,sparse or int8,int8-sparse, and auto behind them or "
      "not");
}

Sweep measure_sweep(const std::vector<PrunedGraph>& levels,
                    const std::vector<inference::Engine>& engines, int batch, int threads,
                    LatencyOptions options) {
  options.per_layer = true;
  std::vector<LatencyCase> cases;
  for (const PrunedGraph& pruned : levels) {
    const size_t dense = cases.size();
    for (const auto engine : engines) {
      const size_t reference = cases.size() == dense ? 0 : dense;
      const bool everywhere = engine == inference::Engine::int8_sparse;
      cases.push_back({pruned.graph, engine, batch, threads, reference, everywhere});
    }
  }
  std::vector<LatencyResult> results = measure_latency(cases, options);
  Sweep sweep{batch, threads, levels, {}, {}, engines};
  auto next = std::make_move_iterator(results.begin());
  const std::ptrdiff_t count = std::ssize(engines);
  for (size_t i = 0; i < levels.size(); ++i, next += count) {
    sweep.results.emplace_back(next, next + count);
  }
  sweep.curves = layer_curves(sweep);
  return sweep;
}

Factor Sweep::factor(size_t level, size_t engine) const {
  const Factor& factor = *results[level][engine].cell.factor;
  return engine == 0 ? Factor{{1, 1, 1}, factor.rounds} : factor;
}

BreakEvenRange Sweep::network_break_even(size_t engine) const {
  std::vector<std::pair<double, Interval>> points;
  for (size_t i = 0; i < levels.size(); ++i)
    points.emplace_back(levels[i].level, factor(i, engine));
  return break_even_range(points);
}

Interval Sweep::milliseconds(size_t level, size_t engine) const {
  const double first = results[0][0].cell.median;
  const double reference = engine == 0 ? first : first / control(level).median;
  const Factor shown = engine == 0 ? control(level) : factor(level, engine);
  return {reference / shown.median, reference / shown.high, reference / shown.low};
}

std::vector<LayerCurve> layer_curves(const Sweep& sweep) {
  std::vector<LayerCurve> curves;
  const inference::Graph& first = *sweep.levels.front().graph;
  for (size_t i = 0; i < first.layers.size(); ++i) {
    if (!inference::has_sparse_kernel(first, i, sweep.engines[1])) continue;
    const inference::Layer& layer = first.layers[i];
    curves.push_back({.name = layer.name,
                      .shape = shape_of(layer.shape),
                      .sparsity = {},
                      .time = {},
                      .factor = {}});
  }
  for (size_t level = 0; level < sweep.levels.size(); ++level) {
    std::vector<std::vector<LayerTime>> engines;
    for (const LatencyResult& result : sweep.results[level]) {
      engines.push_back(layer_times(result.steps));
    }
    auto curve = curves.begin();
    const inference::Graph& graph = *sweep.levels[level].graph;
    for (size_t i = 0; i < graph.layers.size(); ++i) {
      if (!inference::has_sparse_kernel(graph, i, sweep.engines[1])) continue;
      const inference::Layer& layer = graph.layers[i];
      curve->sparsity.push_back(layer.zeros());
      std::vector<LayerTime>& times = curve->time.emplace_back();
      for (const auto& engine : engines) times.push_back(time_of(layer.name, engine));
      std::vector<Interval>& factors = curve->factor.emplace_back();
      for (const LayerTime& time : times) factors.push_back(factor_of(times.front(), time));
      ++curve;
    }
  }
  return curves;
}

BreakEvenRange LayerCurve::break_even(size_t engine) const {
  std::vector<std::pair<double, Interval>> points;
  for (size_t i = 0; i < sparsity.size(); ++i) points.emplace_back(sparsity[i], factor[i][engine]);
  return break_even_range(points);
}

std::optional<std::string> disturbance(const Sweep& sweep) {
  constexpr double kSame = 0.05;
  size_t furthest = 0;
  const auto distance = [&](size_t level) {
    return std::abs(std::log(sweep.control(level).median));
  };
  for (size_t i = 0; i < sweep.levels.size(); ++i) {
    if (distance(i) > distance(furthest)) furthest = i;
  }
  const double factor = sweep.control(furthest).median;
  if (std::abs(factor - 1) <= kSame) return {};
  return fmt::format(
      "{} kernels do the same work at all levels, but were {:.2f} times as fast at {:g} % as at "
      "{:g} %: something disturbed the times",
      to_string(sweep.engines[0]), factor, 100 * sweep.levels[furthest].level,
      100 * sweep.levels.front().level);
}

double speedup_of_others(const Sweep& sweep, size_t level, size_t engine) {
  const inference::Graph& graph = *sweep.levels[level].graph;
  const auto others = [&](const LatencyResult& result) {
    double ms = 0;
    for (const LayerTime& time : layer_times(result.steps)) {
      bool sparse = false;
      for (size_t i = 0; i < graph.layers.size(); ++i) {
        sparse |= graph.layers[i].name == time.layer &&
                  inference::has_sparse_kernel(graph, i, sweep.engines[1]);
      }
      if (!sparse) ms += time.ms;
    }
    return ms;
  };
  return others(sweep.results[level][0]) / others(sweep.results[level][engine]);
}

}  // namespace edgeprune
