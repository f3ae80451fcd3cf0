#pragma once
// Rows as lines of a plot, looking the same in every plot.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/plots/gnuplot.h"
#include "tools/report/results.h"

namespace edgeprune {

inline constexpr const char* kGrey = "#555555";
inline constexpr double kLeftEdge = -2;  ///< of a sparsity axis: keeps a marker at 0 % off the edge

/// The rows of one variant (query.h) and schedule, by ascending sparsity; those with recovery, of
/// any schedule, are a line of their own per variant, shown as points; so are, dotted with open
/// markers, those in integers.
struct Line {
  std::string name;  ///< "channel groups, exact"; "magnitude, with recovery, INT8"
  std::string variant, schedule;
  bool recovery = false, quantized = false;
  std::vector<const RunRecord*> rows;
  std::string colour;
  double depth = 0;  ///< from 1 (drawn first, under the others) to 0 (on top)
};

std::vector<Line> lines(const std::vector<RunRecord>& rows);
/// Without those in integers, whose zeros and trainings are those of the rows that they were made from.
std::vector<Line> float_lines(const std::vector<RunRecord>& rows);

/// A shade of the variant's hue. Okabe and Ito's palette, which the colour-blind can tell apart,
/// with darker and lighter shades: magnitude blue, lamp green, channel red, groups pink, compact
/// channels violet.
std::string variant_colour(const std::string& variant, const std::string& schedule = "one-shot");

/// What is drawn of a row, with error bars if its ends differ; nothing if it was not measured.
using RowValue = std::function<std::optional<Interval>(const RunRecord&)>;
/// A value without doubt.
inline Interval exact(double value) {
  return {value, value, value};
}

/// Against sparsity. Lower markers are larger, so that they show where rows coincide.
Series series_of(const Line& line, const RowValue& value);

double percent_sparsity(const RunRecord& row);
/// Where a sparsity axis ends.
double right_edge(const std::vector<RunRecord>& rows);

/// The baseline's value where it was measured; nothing if it was not. An empty name keeps it out of
/// the legend.
std::vector<Series> baseline_marker(const std::vector<RunRecord>& rows, const RowValue& value,
                                    std::string name, Marker shape = Marker::filled_diamond);
/// Of the unpruned networks in integers; nothing if there are none.
std::vector<Series> integer_baseline_markers(const std::vector<RunRecord>& rows,
                                             const RowValue& value);
/// baseline_marker() with a dashed line across the plot.
std::vector<Series> baseline_line(const std::vector<RunRecord>& rows, const RowValue& value,
                                  std::string name, Marker shape = Marker::filled_diamond);

/// The least and the greatest y.
std::pair<double, double> extent(const Panel& panel);
void range_from_zero(Panel& panel);
/// With a margin, to whole numbers, within 0 to 100.
void range_of_percents(Panel& panel);

/// ", NAME" if all rows were timed on one processor.
std::string processor(const std::vector<RunRecord>& rows);

}  // namespace edgeprune
