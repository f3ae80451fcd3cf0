#include "tools/report/pareto.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/check.h"
#include "tools/report/plot_lines.h"

namespace edgeprune {
namespace {

constexpr double kShownBelowBest = 0.25;

std::vector<TimedRow> by_time(const Results& results, const Timing& timing) {
  std::vector<TimedRow> all;
  for (const RunRecord& row : results.rows()) {
    if (const auto time = fastest_engine(results, row, timing)) all.push_back(*time);
  }
  std::stable_sort(all.begin(), all.end(), [](const TimedRow& a, const TimedRow& b) {
    return a.factor.low != b.factor.low ? a.factor.low > b.factor.low
                                        : a.row->accuracy > b.row->accuracy;
  });
  return all;
}

/// From the left end up and to the right; only what is shown.
Series staircase(const std::vector<TimedRow>& front, double least, double right) {
  Series series{.name = "Pareto front", .colour = "#333333", .dash = Dash::dashed, .points = {}};
  for (const TimedRow& time : front) {
    const double y = 100 * time.row->accuracy;
    if (time.row->accuracy < least) continue;
    double x = time.ms.median;
    if (!series.points.empty()) {
      x = std::max(x, series.points.back().first);  // their intervals' ends may be in another order
      series.points.emplace_back(x, series.points.back().second);
    }
    series.points.emplace_back(x, y);
  }
  if (!series.points.empty()) series.points.emplace_back(right, series.points.back().second);
  return series;
}

}  // namespace

bool has_trusted_times(const Results& results) {
  return std::ranges::any_of(results.rows(), [](const RunRecord& row) {
    return std::ranges::any_of(
        row.latency, [&](const LatencyCell& cell) { return trusted_factor(row, cell) != nullptr; });
  });
}

std::vector<TimedRow> pareto_front(const Results& results, const Timing& timing) {
  std::vector<TimedRow> front;
  for (const TimedRow& time : by_time(results, timing)) {
    if (front.empty() || time.row->accuracy > front.back().row->accuracy) front.push_back(time);
  }
  return front;
}

Table pareto_table(const Results& results) {
  Table table({{"batch", "batch"},
               {"threads", "threads"},
               {"row", "id", Align::left},
               {"engine", "engine", Align::left},
               {"ms", "ms"},
               {"× baseline", "factor"},
               {"from", "factor_low"},
               {"to", "factor_high"},
               {"accuracy %", "accuracy_percent"},
               {"sparsity %", "sparsity_percent"}});
  for (const Timing& timing : main_timings(results.rows())) {
    for (const TimedRow& time : pareto_front(results, timing)) {
      table.add_row({timing.batch, timing.threads, time.row->id, time.engine,
                     Number{time.ms.median, 3}, Number{time.factor.median, 2},
                     Number{time.factor.low, 2}, Number{time.factor.high, 2},
                     Number{100 * time.row->accuracy, 2}, Number{100 * time.row->sparsity(), 1}});
    }
  }
  return table;
}

Figure pareto_figure(const Results& results) {
  const auto& rows = results.rows();
  const std::vector<Timing> shown = main_timings(rows);
  require(has_trusted_times(results), "pareto_figure", "no run has a latency that can be trusted");
  double best = 0, slowest = 0;
  for (const RunRecord& row : rows) best = std::max(best, row.accuracy);
  for (const Timing& timing : shown) {
    for (const TimedRow& time : by_time(results, timing)) slowest = std::max(slowest, time.ms.high);
  }
  const double right = slowest > 0 ? 1.06 * slowest : 1, least = best - kShownBelowBest;
  std::vector<Panel> panels;
  for (const Timing& timing : shown) {
    Panel panel{.title = fmt::format("batch {}", timing.batch),
                .y_label = "accuracy on the test set (%)",
                .series = {staircase(pareto_front(results, timing), least, right)}};
    for (const Line& line : lines(rows)) {
      Series series = series_of(line, [](const RunRecord&) { return std::nullopt; });
      series.dash = Dash::none;
      for (const RunRecord* row : line.rows) {
        const auto time = fastest_engine(results, *row, timing);
        if (!time || row->accuracy < least) continue;
        series.points.emplace_back(time->ms.median, 100 * row->accuracy);
        series.x_bars.emplace_back(time->ms.low, time->ms.high);
      }
      if (!series.points.empty()) panel.series.push_back(std::move(series));
    }
    for (const RunRecord& row : rows) {
      if (row.method != "none") continue;
      const auto time = fastest_engine(results, row, timing);
      if (!time || row.accuracy < least) continue;
      panel.series.push_back(
          {.name = "unpruned" + integer_suffix(row),
           .colour = kGrey,
           .dash = Dash::none,
           .marker = row.is_quantized() ? Marker::diamond : Marker::filled_diamond,
           .marker_size = 1.6,
           .points = {{time->ms.median, 100 * row.accuracy}},
           .x_bars = {{time->ms.low, time->ms.high}}});
    }
    range_of_percents(panel);
    panels.push_back(std::move(panel));
  }
  const int threads = shown.front().threads;
  return {.title = fmt::format("Accuracy against latency, {} thread{}{}", threads,
                               threads == 1 ? "" : "s", processor(rows)),
          .x_label = "latency at the unpruned network's pace (ms per image)",
          .x_low = 0,
          .x_high = right,
          .x_step = 0,
          .panels = std::move(panels)};
}

}  // namespace edgeprune
