#pragma once
// A sweep in two pictures.

#include <string>
#include <vector>

#include "tools/measurement/machine.h"
#include "tools/plots/gnuplot.h"
#include "tools/plots/heat_map.h"
#include "tools/sweeps/breakeven.h"

namespace edgeprune {

/// The first engine's time / the sparse one's, of every 1x1 layer, of all others together and of the whole network, by
/// the network's sparsity; on the right where each breaks even, in its own.
HeatMap breakeven_heat_map(const Sweep& sweep, const Machine& machine);

/// ms an image of every engine by the network's sparsity, with the points where they break even,
/// and the least that dense arithmetic would take at `peak_gflops`.
Figure breakeven_figure(const Sweep& sweep, const Machine& machine, double peak_gflops);

/// Draws both as heat_map_batchB_threadsT and latency_batchB_threadsT (.svg and .png) into an
/// existing folder and returns the four paths. The limit is the best that is known (limits.h). Throws PlotError, FileError.
std::vector<std::string> write_breakeven_plots(const Sweep& sweep, const Machine& machine,
                                               const std::string& folder);

}  // namespace edgeprune
