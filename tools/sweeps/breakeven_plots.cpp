#include "tools/sweeps/breakeven_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "engine/base/file.h"
#include "tools/measurement/limits.h"

namespace edgeprune {
namespace {

constexpr size_t kSparse = 1;
constexpr std::array kColours = {"#555555", "#d55e00", "#0072b2"};  // by engine
constexpr std::array kMarkers = {Marker::filled_square, Marker::filled_circle,
                                 Marker::filled_triangle};
constexpr double kLeftEdge = -2, kRightEdge = 100;

std::string circumstances(const Sweep& sweep, const Machine& machine) {
  return fmt::format("batch {}, {} thread{}, {}, {}", sweep.batch, sweep.threads,
                     sweep.threads == 1 ? "" : "s", machine.cpu, machine.simd);
}

/// An engine's time between the levels measured.
double interpolated_ms(const Sweep& sweep, size_t engine, double level) {
  for (size_t i = 1; i < sweep.levels.size(); ++i) {
    const double x0 = sweep.levels[i - 1].level, x1 = sweep.levels[i].level;
    if (level > x1) continue;
    const double y0 = sweep.milliseconds(i - 1, engine).median;
    const double y1 = sweep.milliseconds(i, engine).median;
    return y0 + (y1 - y0) * (level - x0) / (x1 - x0);
  }
  return sweep.milliseconds(sweep.levels.size() - 1, engine).median;
}

/// On the axis, whose ends stand for "always" and "never".
double percent(const BreakEven& at) {
  return at.kind == BreakEven::Kind::always  ? kLeftEdge
         : at.kind == BreakEven::Kind::never ? kRightEdge
                                             : 100 * at.sparsity;
}

/// What the first engine's plan carries out, which minimal filtering makes less than there are multiply-adds.
LayerTime dense_work(const Sweep& sweep) {
  LayerTime work{.layer = "", .kernel = ""};
  for (const LayerTime& layer : layer_times(sweep.results.front()[0].steps)) {
    work.kernel_flops += layer.kernel_flops;
    work.integers |= layer.integers;
  }
  return work;
}

}  // namespace

HeatMap breakeven_heat_map(const Sweep& sweep, const Machine& machine) {
  HeatMap map{
      .title = fmt::format("Time on {0} ÷ time on {1}: blue where {1} is faster",
                           to_string(sweep.engines[0]), to_string(sweep.engines[kSparse])),
      .subtitle =
          circumstances(sweep, machine) + "; on the right a layer's own zeros where it breaks even",
      .x_label = "zeros among the network's prunable weights (pruned globally by magnitude)",
      .remark_heading = "breaks even",
      .columns = {},
      .rows = {}};
  for (const PrunedGraph& pruned : sweep.levels) {
    map.columns.push_back(fmt::format("{:g} %", 100 * pruned.level));
  }
  const auto ratios = [&](const auto& ratio_at) {
    std::vector<double> values;
    for (size_t i = 0; i < sweep.levels.size(); ++i) values.push_back(ratio_at(i));
    return values;
  };
  for (const LayerCurve& curve : sweep.curves) {
    map.rows.push_back({.name = curve.name + "  " + curve.shape,
                        .ratios = ratios([&](size_t i) { return curve.speedup(i, kSparse); }),
                        .remark = to_string(curve.break_even(kSparse))});
  }
  map.rows.push_back(
      {.name = "all other layers",
       .ratios = ratios([&](size_t i) { return speedup_of_others(sweep, i, kSparse); }),
       .gap_above = true});
  map.rows.push_back({.name = "whole network",
                      .ratios = ratios([&](size_t i) { return sweep.speedup(i, kSparse); }),
                      .remark = to_string(sweep.network_break_even(kSparse))});
  return map;
}

Figure breakeven_figure(const Sweep& sweep, const Machine& machine, double peak_gflops) {
  Panel panel{.y_label = "median latency (ms per image)"};
  double highest = 0;
  std::vector<Series> points;
  const std::string first = to_string(sweep.engines[0]);
  for (size_t e = 0; e < sweep.engines.size(); ++e) {
    const std::string name = to_string(sweep.engines[e]);
    Series series{.name = name, .colour = kColours[e], .marker = kMarkers[e], .line_width = 3};
    for (size_t i = 0; i < sweep.levels.size(); ++i) {
      const Interval ms = sweep.milliseconds(i, e);
      series.points.emplace_back(100 * sweep.levels[i].level, ms.median);
      series.y_bars.emplace_back(ms.low, ms.high);
      highest = std::max(highest, ms.high);
    }
    if (e > 0) {
      const BreakEvenRange range = sweep.network_break_even(e);
      const BreakEven& at = range.at;
      series.name += at.kind == BreakEven::Kind::always ? ": always faster than " + first
                     : at.kind == BreakEven::Kind::never
                         ? ": never faster than " + first
                         : ": faster from " + to_string(range) + " on";
      if (at.kind == BreakEven::Kind::at) {
        points.push_back({.name = name + " breaks even",
                          .colour = kColours[e],
                          .dash = Dash::none,
                          .marker = Marker::diamond,
                          .marker_size = 3.4,
                          .line_width = 3,
                          .points = {{100 * at.sparsity, interpolated_ms(sweep, e, at.sparsity)}},
                          .x_bars = {{percent(range.earliest), percent(range.latest)}}});
      }
    }
    panel.series.push_back(std::move(series));
  }
  for (Series& point : points) panel.series.push_back(std::move(point));
  const LayerTime work = dense_work(sweep);
  const double limit = 1e-6 * work.kernel_flops / peak_gflops;
  panel.series.push_back({.name = fmt::format("{} limit: {:.0f} G{}/s", first, peak_gflops,
                                              work.integers ? "OP" : "FLOP"),
                          .colour = "#555555",
                          .dash = Dash::dashed,
                          .points = {{kLeftEdge, limit}, {kRightEdge, limit}}});
  panel.y_high = 1.08 * std::max(highest, limit);
  return {.title = "Latency against sparsity, " + circumstances(sweep, machine),
          .x_label = "zeros (% of the prunable weights, pruned globally by magnitude)",
          .x_low = kLeftEdge,
          .x_high = kRightEdge,
          .panels = {std::move(panel)},
          .legend_columns = 2};
}

std::vector<std::string> write_breakeven_plots(const Sweep& sweep, const Machine& machine,
                                               const std::string& folder) {
  // What dense kernels did is no less than what the machine can do.
  LayerTime work = dense_work(sweep);
  for (size_t i = 0; i < sweep.levels.size(); ++i) {
    for (const double ms : {sweep.milliseconds(i, 0).median, sweep.results[i][0].cell.median}) {
      work.ms = ms;
      raise_limits(work, sweep.threads);
    }
  }
  const Limits limits = best_limits(sweep.threads);
  const HeatMap map = breakeven_heat_map(sweep, machine);
  const Figure figure =
      breakeven_figure(sweep, machine, work.integers ? limits.integer_gflops : limits.gflops);
  std::vector<std::string> paths;
  const auto write = [&](const std::string& name, const auto& picture) {
    for (const auto& [format, suffix] :
         {std::pair(ImageFormat::svg, ".svg"), std::pair(ImageFormat::png, ".png")}) {
      const std::string file =
          fmt::format("{}_batch{}_threads{}{}", name, sweep.batch, sweep.threads, suffix);
      paths.push_back((std::filesystem::path(folder) / file).string());
      write_file_atomically(paths.back(), draw(picture, format));
    }
  };
  write("heat_map", map);
  write("latency", figure);
  return paths;
}

}  // namespace edgeprune
