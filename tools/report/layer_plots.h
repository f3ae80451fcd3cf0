#pragma once
// What pruning and training did inside the networks: sparsity by layer, loss by epoch.

#include "tools/plots/gnuplot.h"
#include "tools/plots/heat_map.h"
#include "tools/report/results.h"

namespace edgeprune {

/// A line a prunable layer, a column for each variant and schedule (plot_lines.h): its row whose
/// target is nearest 50 %; at most nine. Throws std::invalid_argument if no row has layers.
HeatMap layer_sparsity_map(const Results& results);
bool has_layers(const Results& results);

/// Loss and accuracy on the training batches, epoch by epoch: of the baseline, and for each variant
/// and schedule of the row with the largest target, over all steps behind the baseline. Throws
/// std::invalid_argument if no row has a curve.
Figure curve_figure(const Results& results);
bool has_curves(const Results& results);

}  // namespace edgeprune
