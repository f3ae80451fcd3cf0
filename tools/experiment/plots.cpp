#include "tools/experiment/plots.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "tools/experiment/query.h"

namespace edgeprune {
namespace {

using Records = std::vector<RunRecord>;

constexpr const char* kGrey = "#555555";
constexpr double kLeftEdge = -2;  // keeps a marker at 0 % off the axis

/// One line of a plot: the runs of one method and schedule, by ascending sparsity.
struct Line {
  std::string method, schedule;
  std::vector<const RunRecord*> runs;
  std::string colour;
  double depth = 0;  ///< from 1 (drawn first, under the others) to 0 (on top)
};

/// Shades of blue for magnitude, of red for channel pruning, greens and purples for others: Okabe
/// and Ito's palette, which the colour-blind can tell apart, with a dark third shade.
std::string colour(const std::string& method, size_t schedule) {
  static const std::map<std::string, std::vector<std::string>> kShades = {
      {"magnitude", {"#0072b2", "#56b4e9", "#003b5c"}},
      {"channel", {"#d55e00", "#e69f00", "#7a3600"}},
      {"", {"#009e73", "#cc79a7", "#005c43"}}};
  const auto found = kShades.find(method);
  const auto& shades = found == kShades.end() ? kShades.at("") : found->second;
  return shades[schedule % shades.size()];
}

size_t schedule_rank(const std::string& schedule) {
  return schedule == "one-shot" ? 0 : schedule == "exact" ? 1 : 2;
}

Marker marker(const std::string& schedule, bool filled) {
  constexpr std::array kFilled = {Marker::filled_circle, Marker::filled_triangle,
                                  Marker::filled_square};
  constexpr std::array kOpen = {Marker::circle, Marker::triangle, Marker::square};
  return (filled ? kFilled : kOpen)[schedule_rank(schedule)];
}

double percent_sparsity(const RunRecord& run) {
  return 100 * run.sparsity();
}

std::vector<Line> lines(const Records& records) {
  std::vector<Line> found;
  for (const RunRecord& run : records) {
    if (run.method == "none") continue;
    auto line = std::find_if(found.begin(), found.end(), [&](const Line& candidate) {
      return candidate.method == run.method && candidate.schedule == run.schedule;
    });
    if (line == found.end()) {
      found.push_back(
          {run.method, run.schedule, {}, colour(run.method, schedule_rank(run.schedule))});
      line = std::prev(found.end());
    }
    line->runs.push_back(&run);
  }
  for (size_t i = 0; i < found.size(); ++i) {
    Line& line = found[i];
    line.depth = 1 - static_cast<double>(i + 1) / static_cast<double>(found.size());
    std::stable_sort(line.runs.begin(), line.runs.end(),
                     [](const auto* a, const auto* b) { return a->sparsity() < b->sparsity(); });
  }
  return found;
}

double right_edge(const Records& records) {
  double most = 0;
  for (const RunRecord& run : records) most = std::max(most, percent_sparsity(run));
  return most == 0 ? 100 : std::min(100.0, 10 * std::ceil((most + 3) / 10));
}

/// What is drawn of a run; nothing if it was not measured.
using Value = std::function<std::optional<double>(const RunRecord&)>;

/// Lower markers are larger, so that they show where runs coincide.
Series series_of(const Line& line, const Value& value) {
  Series series{.name = line.method + ", " + line.schedule,
                .colour = line.colour,
                .marker = marker(line.schedule, true),
                .marker_size = 1.7 + 1.2 * line.depth};
  for (const RunRecord* run : line.runs) {
    if (const auto y = value(*run)) series.points.emplace_back(percent_sparsity(*run), *y);
  }
  return series;
}

/// The baseline's value where it was measured; nothing if it was not. An empty name keeps it out of
/// the legend.
std::vector<Series> baseline_marker(const Records& records, const Value& value, std::string name,
                                    Marker shape = Marker::filled_diamond) {
  const RunRecord* baseline = find_baseline(records);
  const auto y = baseline != nullptr ? value(*baseline) : std::nullopt;
  if (!y) return {};
  return {{.name = std::move(name),
           .colour = kGrey,
           .dash = Dash::none,
           .marker = shape,
           .marker_size = 2,
           .points = {{percent_sparsity(*baseline), *y}}}};
}

/// The same with a dashed line across the plot.
std::vector<Series> baseline_line(const Records& records, const Value& value, std::string name,
                                  Marker shape = Marker::filled_diamond) {
  std::vector<Series> series = baseline_marker(records, value, "", shape);
  if (series.empty()) return series;
  const double y = series.front().points.front().second;
  series.push_back({.name = std::move(name),
                    .colour = kGrey,
                    .dash = Dash::dashed,
                    .points = {{kLeftEdge, y}, {right_edge(records), y}}});
  return series;
}

std::pair<double, double> extent(const Panel& panel) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Series& series : panel.series) {
    for (const auto& [x, y] : series.points) low = std::min(low, y), high = std::max(high, y);
  }
  return {low, high};
}

void range_from_zero(Panel& panel) {
  const double high = extent(panel).second;
  panel.y_high = high > 0 ? 1.08 * high : 1;
}

/// The baseline and all lines.
Panel panel_of(const Records& records, const std::string& y_label, const Value& value) {
  Panel panel{.y_label = y_label, .series = baseline_line(records, value, "unpruned")};
  for (const Line& line : lines(records)) panel.series.push_back(series_of(line, value));
  return panel;
}

Panel latency_panel(const Records& records, const Timing& timing) {
  Panel panel{.title = fmt::format("batch {}", timing.batch),
              .y_label = "median latency (ms per image)"};
  for (const std::string& engine : engines(records)) {
    const bool dense = engine == "dense";
    const Value value = [&](const RunRecord& run) -> std::optional<double> {
      const LatencyCell* cell = find_latency(run, engine, timing);
      return cell != nullptr ? std::optional(cell->median) : std::nullopt;
    };
    const std::string name = "unpruned, " + engine;
    for (Series& series : dense ? baseline_line(records, value, name, Marker::diamond)
                                : baseline_marker(records, value, name)) {
      panel.series.push_back(std::move(series));
    }
    for (const Line& line : lines(records)) {
      Series series = series_of(line, value);
      series.name += ", " + engine;
      if (dense) series.marker = marker(line.schedule, false);
      series.dash = dense ? Dash::dashed : engine == "sparse" ? Dash::solid : Dash::dotted;
      if (!series.points.empty()) panel.series.push_back(std::move(series));
    }
  }
  range_from_zero(panel);
  return panel;
}

Figure figure(const Records& records, std::string title, std::vector<Panel> panels) {
  return {.title = std::move(title),
          .x_label = "sparsity (% of all parameters)",
          .x_low = kLeftEdge,
          .x_high = right_edge(records),
          .panels = std::move(panels)};
}

/// ", NAME" if all runs were timed on one processor.
std::string processor(const Records& records) {
  const std::string& name = records.front().cpu;
  const bool same = std::all_of(records.begin(), records.end(),
                                [&](const RunRecord& run) { return run.cpu == name; });
  return same && !name.empty() ? ", " + name : "";
}

}  // namespace

Figure accuracy_figure(const Records& records) {
  Panel panel = panel_of(records, "accuracy on the test set (%)",
                         [](const RunRecord& run) { return 100 * run.accuracy; });
  const auto [low, high] = extent(panel);
  const double margin = std::max(1.0, 0.08 * (high - low));
  panel.y_low = std::max(0.0, std::floor(low - margin));
  panel.y_high = std::min(100.0, std::ceil(high + margin));
  return figure(records, "Accuracy after pruning and fine-tuning", {panel});
}

Figure nonzero_figure(const Records& records) {
  Panel panel = panel_of(records, "nonzero parameters (millions)", [](const RunRecord& run) {
    return static_cast<double>(run.nonzero_parameters) / 1e6;
  });
  // Masks put all methods on one diagonal: broad lines below narrow ones keep each in sight.
  const std::vector<Line> all = lines(records);
  for (size_t i = 0; i < all.size(); ++i) {
    panel.series[panel.series.size() - all.size() + i].line_width = 2.5 + 10 * all[i].depth;
  }
  range_from_zero(panel);
  return figure(records, "Nonzero parameters after pruning", {panel});
}

Figure latency_figure(const Records& records) {
  const std::vector<Timing> all = timings(records);
  require(!all.empty(), "latency_figure", "no run has a latency");
  const auto fewer_threads = [](const Timing& a, const Timing& b) { return a.threads < b.threads; };
  const int threads = std::min_element(all.begin(), all.end(), fewer_threads)->threads;
  std::vector<Panel> panels;
  for (const Timing& timing : all) {
    if (timing.threads != threads) continue;
    if (panels.size() == 2) panels.pop_back();  // only the smallest and the largest batch
    panels.push_back(latency_panel(records, timing));
  }
  Figure drawn = figure(records,
                        fmt::format("Latency after pruning, {} thread{}{}", threads,
                                    threads == 1 ? "" : "s", processor(records)),
                        std::move(panels));
  drawn.legend_columns = engines(records).size();
  return drawn;
}

std::vector<std::string> write_plots(const Records& records, const std::string& folder) {
  require(!records.empty(), "write_plots", "there are no runs to draw");
  std::vector<std::pair<std::string, Figure>> figures = {
      {"accuracy", accuracy_figure(records)}, {"nonzero_parameters", nonzero_figure(records)}};
  if (!timings(records).empty()) figures.emplace_back("latency", latency_figure(records));
  std::vector<std::string> paths;
  for (const auto& [name, drawn] : figures) {
    for (const auto& [format, suffix] :
         {std::pair(ImageFormat::svg, ".svg"), std::pair(ImageFormat::png, ".png")}) {
      paths.push_back((std::filesystem::path(folder) / (name + suffix)).string());
      write_file_atomically(paths.back(), draw(drawn, format));
    }
  }
  return paths;
}

}  // namespace edgeprune
