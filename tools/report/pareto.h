#pragma once
// Accuracy against measured latency: which rows are worth having?

#include <vector>

#include "tools/cli/table.h"
#include "tools/plots/gnuplot.h"
#include "tools/report/speed.h"

namespace edgeprune {

/// The rows, each on its fastest engine, that no other beats: none is at least as fast, by the lower
/// end of its factor, and more accurate, or faster and as accurate. From the fastest to the most
/// accurate. Rows whose times decide nothing (noise.h) are left out here and below.
std::vector<TimedRow> pareto_front(const Results& results, const Timing& timing);

/// The fronts of all main timings (query.h), a line a row.
Table pareto_table(const Results& results);

/// A panel a main timing: every row on its fastest engine, and the front as a staircase. Rows more
/// than 25 points below the most accurate one are left out. Throws std::invalid_argument if no time
/// can be trusted.
Figure pareto_figure(const Results& results);
bool has_trusted_times(const Results& results);

}  // namespace edgeprune
