#pragma once
// The three pictures that the original study (original_results.h) has, too: accuracy, latency and
// nonzero parameters against sparsity.

#include "tools/plots/gnuplot.h"
#include "tools/report/results.h"

namespace edgeprune {

/// Against sparsity over all parameters; a line joins the rows of one variant and schedule
/// (plot_lines.h), whose colour and marker are the same in both. Accuracy also shows the original
/// study's figures of the rows it has in common with ours.
Figure accuracy_figure(const Results& results);
Figure nonzero_figure(const Results& results);

/// A panel for each main timing (query.h). The schedule hardly matters here: a line joins the rows
/// of one variant and engine; rows less than a point of sparsity apart are averaged. Colour tells
/// the variant, dashes and markers the engine. Milliseconds are at the unpruned network's pace
/// (speed.h), with their intervals; noisy ones are left out (noise.h). Throws std::invalid_argument if nothing was timed.
Figure latency_figure(const Results& results);

}  // namespace edgeprune
