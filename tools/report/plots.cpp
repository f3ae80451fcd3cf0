#include "tools/report/plots.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/check.h"
#include "tools/report/original_results.h"
#include "tools/report/plot_lines.h"
#include "tools/report/query.h"
#include "tools/report/speed.h"

namespace edgeprune {
namespace {

using Rows = std::vector<RunRecord>;

/// The baseline and the lines.
Panel panel_of(const Rows& rows, const std::vector<Line>& shown, const std::string& y_label,
               const RowValue& value) {
  Panel panel{.y_label = y_label, .series = baseline_line(rows, value, "unpruned")};
  for (const Line& line : shown) panel.series.push_back(series_of(line, value));
  return panel;
}

Figure figure(const Rows& rows, std::string title, std::vector<Panel> panels) {
  return {.title = std::move(title),
          .x_label = "sparsity (% of all parameters)",
          .x_low = kLeftEdge,
          .x_high = right_edge(rows),
          .panels = std::move(panels)};
}

/// Nothing if no row is the original study's.
std::vector<Series> original_points(const Rows& rows) {
  Series series{.name = "the original study's rows",
                .colour = "#777777",
                .dash = Dash::none,
                .marker = Marker::diamond,
                .marker_size = 1.4,
                .line_width = 2};
  for (const RunRecord& row : rows) {
    const OriginalRow* original = find_original_row(row);
    if (original == nullptr || row.method == "none") continue;
    const double x = std::min(original->sparsity.low, right_edge(rows));
    series.points.emplace_back(x, original->accuracy.low);
  }
  if (series.points.empty()) return {};
  return {series};
}

/// Joins neighbours less than a point of sparsity apart into their mean.
void average_neighbours(Series& series) {
  std::vector<std::pair<double, double>> averaged, bars;
  for (size_t i = 0; i < series.points.size();) {
    double x = 0, y = 0, low = 0, high = 0;
    size_t j = i;
    for (; j < series.points.size() && series.points[j].first < series.points[i].first + 1; ++j) {
      x += series.points[j].first, y += series.points[j].second;
      if (series.y_bars.empty()) continue;
      low += series.y_bars[j].first, high += series.y_bars[j].second;
    }
    averaged.emplace_back(x / double(j - i), y / double(j - i));
    if (!series.y_bars.empty()) bars.emplace_back(low / double(j - i), high / double(j - i));
    i = j;
  }
  series.points = std::move(averaged);
  series.y_bars = std::move(bars);
}

/// All rows of a variant, whatever their schedule and recovery.
std::vector<Line> variant_lines(const Rows& rows) {
  std::vector<Line> found;
  const auto name_of = [](const RunRecord& row) { return variant(row) + integer_suffix(row); };
  for (const std::string& name : distinct(rows, name_of)) {
    Line line;
    line.name = name;
    for (const RunRecord& row : rows) {
      if (name_of(row) != name || row.method == "none") continue;
      line.rows.push_back(&row);
      line.variant = variant(row);
      line.quantized = row.is_quantized();
      line.colour = variant_colour(variant(row), line.quantized ? "exact" : "one-shot");  // paler
    }
    std::stable_sort(line.rows.begin(), line.rows.end(),
                     [](const auto* a, const auto* b) { return a->sparsity() < b->sparsity(); });
    if (!line.rows.empty()) found.push_back(std::move(line));
  }
  return found;
}

/// At the unpruned network's pace; the median as it is where rows were not timed together; nothing
/// if it is noisy.
std::optional<Interval> latency_of(const Results& results, const RunRecord& row,
                                   const std::string& engine, const Timing& timing) {
  const LatencyCell* cell = find_latency(row, engine, timing);
  if (cell == nullptr) return {};
  if (!cell->factor) return exact(cell->median);
  const Factor* factor = trusted_factor(row, *cell);
  return factor != nullptr ? std::optional(paced(results, *cell, *factor)) : std::nullopt;
}

Panel latency_panel(const Results& results, const Timing& timing) {
  const Rows& rows = results.rows();
  Panel panel{.title = fmt::format("batch {}", timing.batch),
              .y_label = "latency at the unpruned network's pace (ms per image)"};
  for (const std::string& engine : engines(rows)) {
    const bool dense = engine == "dense", skips = engine.ends_with("sparse"),
               integer = engine.starts_with("int");
    const Marker shape = engine == "auto" ? Marker::filled_triangle
                         : integer        ? (skips ? Marker::filled_square : Marker::square)
                                          : (skips ? Marker::filled_circle : Marker::circle);
    const RowValue value = [&](const RunRecord& row) {
      return latency_of(results, row, engine, timing);
    };
    const std::string name = "unpruned, " + engine;
    for (Series& series : dense ? baseline_line(rows, value, name, Marker::diamond)
                                : baseline_marker(rows, value, name)) {
      if (!dense) series.marker = skips ? Marker::filled_diamond : Marker::filled_inverted_triangle;
      panel.series.push_back(std::move(series));
    }
    for (Series& series : integer_baseline_markers(rows, value)) {
      series.name = integer ? name : series.name + ", " + engine;
      if (skips) series.marker = Marker::filled_diamond;
      panel.series.push_back(std::move(series));
    }
    for (const Line& line : variant_lines(rows)) {
      Series series = series_of(line, value);
      series.name = (integer ? line.variant : line.name) + ", " + engine;
      series.marker = shape;
      series.dash = engine == "auto" ? Dash::dotted : skips ? Dash::solid : Dash::dashed;
      average_neighbours(series);
      if (!series.points.empty()) panel.series.push_back(std::move(series));
    }
  }
  range_from_zero(panel);
  return panel;
}

}  // namespace

Figure accuracy_figure(const Results& results) {
  const Rows& rows = results.rows();
  const RowValue value = [](const RunRecord& row) { return exact(100 * row.accuracy); };
  Panel panel = panel_of(rows, lines(rows), "accuracy on the test set (%)", value);
  for (Series& series : integer_baseline_markers(rows, value)) {
    panel.series.push_back(std::move(series));
  }
  if (results.follows_original()) {
    for (Series& series : original_points(rows)) panel.series.push_back(std::move(series));
  }
  range_of_percents(panel);
  return figure(rows, "Accuracy after pruning and fine-tuning", {panel});
}

Figure nonzero_figure(const Results& results) {
  const Rows& rows = results.rows();
  const std::vector<Line> all = float_lines(rows);
  Panel panel = panel_of(rows, all, "nonzero parameters (millions)", [](const RunRecord& row) {
    return exact(static_cast<double>(row.nonzero_parameters) / 1e6);
  });
  // Masks put all methods on one diagonal: broad lines below narrow ones keep each in sight.
  for (size_t i = 0; i < all.size(); ++i) {
    panel.series[panel.series.size() - all.size() + i].line_width = 2.5 + 10 * all[i].depth;
  }
  range_from_zero(panel);
  return figure(rows, "Nonzero parameters after pruning", {panel});
}

Figure latency_figure(const Results& results) {
  const Rows& rows = results.rows();
  const std::vector<Timing> shown = main_timings(rows);
  require(!shown.empty(), "latency_figure", "no run has a latency");
  std::vector<Panel> panels;
  for (const Timing& timing : shown) panels.push_back(latency_panel(results, timing));
  const int threads = shown.front().threads;
  Figure drawn = figure(rows,
                        fmt::format("Latency after pruning, {} thread{}{}", threads,
                                    threads == 1 ? "" : "s", processor(rows)),
                        std::move(panels));
  drawn.legend_columns = engines(rows).size();
  return drawn;
}

}  // namespace edgeprune
