#include "tools/report/layer_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/base/check.h"
#include "tools/report/plot_lines.h"

namespace edgeprune {
namespace {

constexpr size_t kMostColumns = 9;
constexpr double kShownTarget = 0.5;

std::string weights(int64_t count) {
  if (count < 10'000) return fmt::format("{}", count);
  return fmt::format("{:.0f} k", static_cast<double>(count) / 1000);
}

double layer_sparsity(const RunRecord& row, const std::string& name) {
  const auto found = std::find_if(row.layers.begin(), row.layers.end(),
                                  [&](const LayerCount& layer) { return layer.name == name; });
  if (found == row.layers.end() || found->parameters <= 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return 1 - static_cast<double>(found->nonzeros) / static_cast<double>(found->parameters);
}

/// "channel groups, exact" + 50 % -> three lines
std::string column_name(const Line& line, const RunRecord& row) {
  std::string kind = line.variant;
  std::replace(kind.begin(), kind.end(), ' ', '\n');
  return fmt::format("{}\n{}\n{:.0f} %", kind, row.schedule, 100 * row.target);
}

std::vector<const RunRecord*> shown_rows(const Results& results, std::vector<std::string>& names) {
  std::vector<const RunRecord*> rows;
  for (const Line& line : float_lines(results.rows())) {
    const RunRecord* nearest = nullptr;
    const auto distance = [](const RunRecord& row) { return std::abs(row.target - kShownTarget); };
    for (const RunRecord* row : line.rows) {
      if (row->layers.empty()) continue;
      if (nearest == nullptr || distance(*row) < distance(*nearest)) nearest = row;
    }
    if (nearest == nullptr || line.recovery || rows.size() == kMostColumns) continue;
    rows.push_back(nearest);
    names.push_back(column_name(line, *nearest));
  }
  return rows;
}

Series curve(const RunRecord& row, double CurvePoint::*value, double scale) {
  Series series{.colour = kGrey, .points = {}};
  for (const CurvePoint& point : row.curve) {
    series.points.emplace_back(static_cast<double>(point.epoch), scale * (point.*value));
  }
  return series;
}

Panel curve_panel(const Results& results, const std::string& y_label, double CurvePoint::*value,
                  double scale) {
  Panel panel{.y_label = y_label};
  const RunRecord* baseline = results.baseline();
  if (baseline != nullptr && !baseline->curve.empty()) {
    Series series = curve(*baseline, value, scale);
    series.name = "baseline";
    series.dash = Dash::dashed;
    panel.series.push_back(std::move(series));
  }
  for (const Line& line : float_lines(results.rows())) {
    const RunRecord* row = nullptr;
    for (const RunRecord* candidate : line.rows) {
      if (candidate->curve.empty()) continue;
      if (row == nullptr || candidate->target > row->target) row = candidate;
    }
    if (row == nullptr || line.recovery) continue;
    Series series = curve(*row, value, scale);
    series.name = fmt::format("{} {:.0f} %", line.name, 100 * row->target);
    series.colour = line.colour;
    series.marker = series_of(line, [](const RunRecord&) { return std::nullopt; }).marker;
    series.marker_size = 0.8;
    panel.series.push_back(std::move(series));
  }
  return panel;
}

}  // namespace

bool has_layers(const Results& results) {
  std::vector<std::string> names;
  return !shown_rows(results, names).empty();
}

HeatMap layer_sparsity_map(const Results& results) {
  HeatMap map{.title = "Sparsity layer by layer (% of a layer's weights)",
              .subtitle = "each schedule's row nearest to 50 %",
              .remark_heading = "weights",
              .shade = Shade::share};
  const std::vector<const RunRecord*> rows = shown_rows(results, map.columns);
  require(!rows.empty(), "layer_sparsity_map", "no run has layers");
  for (const LayerCount& layer : rows.front()->layers) {
    HeatMap::Row line{.name = layer.name, .remark = weights(layer.parameters)};
    for (const RunRecord* row : rows) line.ratios.push_back(layer_sparsity(*row, layer.name));
    map.rows.push_back(std::move(line));
  }
  HeatMap::Row all{.name = "all prunable weights", .gap_above = true};
  all.remark = weights(rows.front()->prunable);
  for (const RunRecord* row : rows) all.ratios.push_back(row->prunable_sparsity());
  map.rows.push_back(std::move(all));
  return map;
}

bool has_curves(const Results& results) {
  return !curve_panel(results, "", &CurvePoint::loss, 1).series.empty();
}

Figure curve_figure(const Results& results) {
  Panel loss = curve_panel(results, "training loss", &CurvePoint::loss, 1);
  Panel accuracy = curve_panel(results, "training accuracy (%)", &CurvePoint::accuracy, 100);
  require(!loss.series.empty(), "curve_figure", "no run has a curve");
  double last = 1;
  for (const Series& series : loss.series) last = std::max(last, series.points.back().first);
  range_from_zero(loss);
  range_of_percents(accuracy);
  return {.title = "Training: the baseline, and what followed each pruning",
          .x_label = "epoch (of the baseline, or behind it)",
          .x_low = 0,
          .x_high = last + 0.5,
          .x_step = last > 40   ? 10.0
                    : last > 20 ? 5.0
                    : last > 8  ? 2.0
                                : 1.0,
          .panels = {std::move(loss), std::move(accuracy)},
          .legend_columns = 3};
}

}  // namespace edgeprune
