#pragma once
// Numbers as coloured cells, drawn by gnuplot.

#include <string>
#include <vector>

#include "tools/plots/gnuplot_process.h"

namespace edgeprune {

/// What the numbers are, and so their colours.
enum class Shade {
  ratio,  ///< white is 1, blue more, orange less; a ratio and its inverse are equally deep
  share,  ///< fractions, shown as whole percents, from white (0) to dark blue (1)
  points  ///< of accuracy lost: none is white, more is darker orange, gains are blue
};

/// A table of ratios or shares.
struct HeatMap {
  struct Row {
    std::string name{};
    std::vector<double> ratios{};  ///< or shares; one a column; NaN leaves the cell empty
    std::string remark{};          ///< right of the cells
    bool gap_above = false;        ///< sets what follows apart
  };
  std::string title{}, subtitle{};
  std::string x_label{};
  std::string remark_heading{};
  std::vector<std::string> columns{};  ///< up to four lines each
  std::vector<Row> rows{};             ///< from the top
  Shade shade = Shade::ratio;
};

/// The image file's bytes, 1200 pixels wide. All text is shown as it stands. Throws PlotError;
/// std::invalid_argument if there is no cell, or a row has not one a column.
std::string draw(const HeatMap& map, ImageFormat format);

}  // namespace edgeprune
