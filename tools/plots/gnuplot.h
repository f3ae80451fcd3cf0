#pragma once
// Line charts, drawn by gnuplot.

#include <string>
#include <utility>
#include <vector>

#include "tools/plots/gnuplot_process.h"

namespace edgeprune {

/// gnuplot's numbers of dash types; none leaves the markers alone.
enum class Dash { none = 0, solid = 1, dashed = 2, dotted = 3 };

/// gnuplot's numbers of point shapes.
enum class Marker {
  none = 0,
  star = 3,
  square = 4,
  filled_square = 5,
  circle = 6,
  filled_circle = 7,
  triangle = 8,
  filled_triangle = 9,
  inverted_triangle = 10,
  filled_inverted_triangle = 11,
  diamond = 12,
  filled_diamond = 13
};

struct Series {
  std::string name{};  ///< in the legend; series of one name share an entry, an empty name has none
  std::string colour;  ///< "#0072b2"
  Dash dash = Dash::solid;
  Marker marker = Marker::none;
  double marker_size = 1.6;
  double line_width = 2.5;
  std::vector<std::pair<double, double>> points{};
  /// Error bars: from where to where, a point; or none at all.
  std::vector<std::pair<double, double>> x_bars{}, y_bars{};
};

/// One pair of axes.
struct Panel {
  std::string title{};
  std::string y_label{};
  double y_low = 0, y_high = 1;
  std::vector<Series> series{};
};

/// Panels side by side under one title, over one legend.
struct Figure {
  std::string title{};
  std::string x_label;
  double x_low = 0, x_high = 1;
  double x_step = 10;         ///< between numbers on the axis; 0: gnuplot's choice
  std::vector<Panel> panels;  ///< at least one
  size_t legend_columns = 3;  ///< at most; filled column by column
};

/// The image file's bytes, 1200 x 800 pixels. All text is shown as it stands, whatever it holds.
/// Throws PlotError.
std::string draw(const Figure& figure, ImageFormat format);

}  // namespace edgeprune
