#pragma once
// All pictures of a study.

#include <functional>
#include <string>
#include <vector>

#include "tools/plots/gnuplot_process.h"
#include "tools/report/results.h"

namespace edgeprune {

struct Picture {
  std::string name;     ///< of its file: "accuracy"
  std::string title;    ///< what it shows, also for those who cannot see it
  std::string caption;  ///< how to read it
  std::function<std::string(ImageFormat)> draw;
};

/// Those for which the rows have the data, in the report's order: accuracy, latency,
/// nonzero_parameters, pareto, layers, curves. `results` must outlive them.
std::vector<Picture> pictures(const Results& results);

struct DrawnPicture {
  std::string name, title, caption;
  std::string svg;
};

/// Draws all as NAME.svg and NAME.png into an existing folder. Throws std::invalid_argument without
/// rows, PlotError if gnuplot is missing or fails, FileError if a file cannot be written.
std::vector<DrawnPicture> write_pictures(const Results& results, const std::string& folder);

}  // namespace edgeprune
