#pragma once
// Ratios as coloured cells, drawn by gnuplot.

#include <string>
#include <vector>

#include "tools/experiment/gnuplot_process.h"

namespace edgeprune {

/// A table of ratios. White is 1, blue more, orange less; a ratio and its inverse are equally deep.
struct HeatMap {
  struct Row {
    std::string name{};
    std::vector<double> ratios{};  ///< one a column; NaN leaves the cell empty
    std::string remark{};          ///< right of the cells
    bool gap_above = false;        ///< sets what follows apart
  };
  std::string title{}, subtitle{};
  std::string x_label{};
  std::string remark_heading{};
  std::vector<std::string> columns{};
  std::vector<Row> rows{};  ///< from the top
};

/// The image file's bytes, 1200 pixels wide. All text is shown as it stands. Throws PlotError;
/// std::invalid_argument if there is no cell, or a row has not one a column.
std::string draw(const HeatMap& map, ImageFormat format);

}  // namespace edgeprune
