#include "tools/report/plot_lines.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "pruning/schedule.h"
#include "tools/report/query.h"

namespace edgeprune {
namespace {

using Rows = std::vector<RunRecord>;

constexpr size_t kSchedules = std::size(kPruningSchedules);
static_assert(kSchedules == 4, "each schedule has a marker and a shade of every colour below");

/// A schedule's place in its table; one that is not there (of a later version) looks like the last.
size_t schedule_rank(const std::string& schedule) {
  const auto found = std::ranges::find(kPruningSchedules, schedule, &Named<PruningSchedule>::name);
  return std::min<size_t>(found - std::begin(kPruningSchedules), kSchedules - 1);
}

Marker marker(const Line& line) {
  constexpr std::array<Marker, kSchedules> kMarkers = {
      Marker::filled_circle, Marker::filled_triangle, Marker::filled_square,
      Marker::filled_inverted_triangle};
  const Marker filled = kMarkers[schedule_rank(line.schedule)];
  if (line.quantized) return static_cast<Marker>(static_cast<int>(filled) - 1);  // the open one
  return line.recovery ? Marker::star : filled;
}

/// Bars without length would only blot the markers.
void drop_idle_bars(Series& series) {
  if (std::ranges::all_of(series.y_bars, [](const auto& bar) { return bar.first == bar.second; })) {
    series.y_bars.clear();
  }
}

std::vector<Series> marker_of(const RunRecord* row, const RowValue& value, std::string name,
                              Marker shape) {
  const auto y = row != nullptr ? value(*row) : std::nullopt;
  if (!y) return {};
  Series series{.name = std::move(name),
                .colour = kGrey,
                .dash = Dash::none,
                .marker = shape,
                .marker_size = 1.6,
                .points = {{percent_sparsity(*row), y->median}},
                .y_bars = {{y->low, y->high}}};
  drop_idle_bars(series);
  return {series};
}

}  // namespace

std::string variant_colour(const std::string& variant, const std::string& schedule) {
  using Shades = std::array<const char*, kSchedules>;
  static const std::map<std::string, Shades> kShades = {
      {"magnitude", {"#0072b2", "#56b4e9", "#003b5c", "#8fa8c9"}},
      {"lamp", {"#009e73", "#66cdb0", "#005c43", "#a3c9a8"}},
      {"channel", {"#d55e00", "#e69f00", "#7a3600", "#d9b38c"}},
      {"channel groups", {"#cc79a7", "#e8b9d3", "#7d3c63", "#b89aab"}},
      {"compact channels", {"#6a3fa0", "#a98bd0", "#39195f", "#8d86a8"}},
      {"taylor", {"#b8a000", "#e0d05a", "#6b5d00", "#cfc794"}},
      {"channel-taylor", {"#8c510a", "#bf812d", "#4d2c05", "#c7a67a"}},
      {"channel-taylor groups", {"#00868b", "#5fc4c8", "#00494c", "#9cc0c2"}},
      {"compact channel-taylors", {"#b2182b", "#e07a86", "#640d18", "#cf9ca2"}},
      {"", {"#444444", "#888888", "#222222", "#aaaaaa"}}};
  const auto found = kShades.find(variant);
  return (found == kShades.end() ? kShades.at("") : found->second)[schedule_rank(schedule)];
}

double percent_sparsity(const RunRecord& row) {
  return 100 * row.sparsity();
}

std::vector<Line> lines(const Rows& rows) {
  std::vector<Line> found;
  for (const RunRecord& row : rows) {
    if (row.method == "none") continue;
    const bool recovery = !row.recovery.empty();
    const std::string kind = variant(row);
    const std::string name =
        kind + ", " + (recovery ? "with recovery" : row.schedule) + integer_suffix(row);
    auto line = std::find_if(found.begin(), found.end(),
                             [&](const Line& candidate) { return candidate.name == name; });
    if (line == found.end()) {
      found.push_back({name,
                       kind,
                       row.schedule,
                       recovery,
                       row.is_quantized(),
                       {},
                       variant_colour(kind, recovery ? "compounding" : row.schedule)});
      line = std::prev(found.end());
    }
    line->rows.push_back(&row);
  }
  for (size_t i = 0; i < found.size(); ++i) {
    Line& line = found[i];
    line.depth = 1 - static_cast<double>(i + 1) / static_cast<double>(found.size());
    std::stable_sort(line.rows.begin(), line.rows.end(),
                     [](const auto* a, const auto* b) { return a->sparsity() < b->sparsity(); });
  }
  return found;
}

std::vector<Line> float_lines(const Rows& rows) {
  std::vector<Line> found = lines(rows);
  std::erase_if(found, [](const Line& line) { return line.quantized; });
  return found;
}

double right_edge(const Rows& rows) {
  double most = 0;
  for (const RunRecord& row : rows) most = std::max(most, percent_sparsity(row));
  return most == 0 ? 100 : std::min(100.0, 10 * std::ceil((most + 3) / 10));
}

Series series_of(const Line& line, const RowValue& value) {
  Series series{.name = line.name,
                .colour = line.colour,
                .dash = line.recovery    ? Dash::none
                        : line.quantized ? Dash::dotted
                                         : Dash::solid,
                .marker = marker(line),
                .marker_size = 1.1 + 0.7 * line.depth};
  for (const RunRecord* row : line.rows) {
    const auto y = value(*row);
    if (!y) continue;
    series.points.emplace_back(percent_sparsity(*row), y->median);
    series.y_bars.emplace_back(y->low, y->high);
  }
  drop_idle_bars(series);
  return series;
}

std::vector<Series> integer_baseline_markers(const Rows& rows, const RowValue& value) {
  std::vector<Series> all;
  for (const RunRecord& row : rows) {
    if (row.method != "none" || !row.is_quantized()) continue;
    for (Series& series :
         marker_of(&row, value, "unpruned" + integer_suffix(row), Marker::diamond)) {
      all.push_back(std::move(series));
    }
  }
  return all;
}

std::vector<Series> baseline_marker(const Rows& rows, const RowValue& value, std::string name,
                                    Marker shape) {
  return marker_of(find_baseline(rows), value, std::move(name), shape);
}

std::vector<Series> baseline_line(const Rows& rows, const RowValue& value, std::string name,
                                  Marker shape) {
  std::vector<Series> series = baseline_marker(rows, value, "", shape);
  if (series.empty()) return series;
  const double y = series.front().points.front().second;
  series.push_back({.name = std::move(name),
                    .colour = kGrey,
                    .dash = Dash::dashed,
                    .points = {{kLeftEdge, y}, {right_edge(rows), y}}});
  return series;
}

std::pair<double, double> extent(const Panel& panel) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& series : panel.series) {
    for (const auto& [x, y] : series.points) low = std::min(low, y), high = std::max(high, y);
    for (const auto& [y0, y1] : series.y_bars) low = std::min(low, y0), high = std::max(high, y1);
  }
  return {low, high};
}

void range_from_zero(Panel& panel) {
  const double high = extent(panel).second;
  panel.y_high = high > 0 && std::isfinite(high) ? 1.08 * high : 1;
}

void range_of_percents(Panel& panel) {
  const auto [low, high] = extent(panel);
  if (low > high) {
    panel.y_high = 100;
    return;
  }
  const double margin = std::max(1.0, 0.08 * (high - low));
  panel.y_low = std::max(0.0, std::floor(low - margin));
  panel.y_high = std::min(100.0, std::ceil(high + margin));
}

std::string processor(const Rows& rows) {
  const std::vector<std::string> names = distinct(rows, [](const RunRecord& r) { return r.cpu; });
  return names.size() == 1 && !names[0].empty() ? ", " + names[0] : "";
}

}  // namespace edgeprune
