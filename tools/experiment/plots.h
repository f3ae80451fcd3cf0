#pragma once
// The study in three pictures.

#include <string>
#include <vector>

#include "tools/experiment/gnuplot.h"
#include "tools/experiment/records.h"

namespace edgeprune {

/// Test accuracy, latency and nonzero parameters, each against sparsity over all parameters; a line
/// joins the runs of one method and schedule. Colour tells method and schedule, the marker's shape
/// the schedule. Latency has a panel for the smallest and one for the largest batch at the fewest
/// threads measured; its dashes and fillings tell the engine.
Figure accuracy_figure(const std::vector<RunRecord>& records);
Figure latency_figure(const std::vector<RunRecord>& records);
Figure nonzero_figure(const std::vector<RunRecord>& records);

/// Draws them as accuracy, latency and nonzero_parameters (.svg and .png) into an existing folder
/// and returns the six paths; without any latency, the latency plot is left out. Throws
/// std::invalid_argument without records, PlotError if gnuplot is missing or fails, FileError if a
/// file cannot be written.
std::vector<std::string> write_plots(const std::vector<RunRecord>& records,
                                     const std::string& folder);

}  // namespace edgeprune
