#pragma once
// From how many zeros on sparse kernels beat dense ones: the network and each of its layers, from
// times of one model pruned to several levels.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/mobilenet_v2.h"
#include "tools/measurement/latency.h"
#include "tools/measurement/layer_times.h"

namespace edgeprune {

/// The lowest sparsity from which on the speed-up stays at 1 or above.
struct BreakEven {
  enum class Kind { at, always, never };  ///< the last two: of all that was measured
  Kind kind = Kind::never;
  double sparsity = 0;  ///< fraction; for `at`
};
/// From (sparsity, dense time / own time), in any order; linear between neighbours. Points that are
/// not finite are left out. Throws std::invalid_argument if none is left.
BreakEven break_even(std::vector<std::pair<double, double>> points);
/// "43.2 %", "always" or "never".
std::string to_string(const BreakEven& result);

/// The model at one level.
struct PrunedGraph {
  double level = 0;  ///< fraction of all prunable weights that are zero
  std::shared_ptr<const inference::Graph> graph;
};
/// Percentages in ascending order, each once, as fractions. Throws std::invalid_argument unless
/// there are any and all are in [0, 100).
std::vector<double> parse_levels(std::vector<double> percentages);
/// Prunes by global magnitude, in place, to each of the ascending levels in turn. Throws
/// std::invalid_argument if more than a level is zero already (one that is met already, to a tenth
/// of a percent, is left as it is).
std::vector<PrunedGraph> prune_to_levels(MobileNetV2& model, const std::vector<double>& levels);

/// Engines, the first of which is what the others have to beat.
const std::vector<inference::Engine>& breakeven_engines();

/// All levels and engines at one batch size and thread count.
struct Sweep {
  int batch = 1, threads = 1;
  std::vector<PrunedGraph> levels;
  std::vector<std::vector<LatencyResult>> results;  ///< [level][breakeven_engines()], with steps

  /// Of the whole network: the time of the first engine divided by that of this one.
  double speedup(size_t level, size_t engine) const;
  BreakEven network_break_even(size_t engine) const;
};
/// Times everything in one interleaved run.
Sweep measure_sweep(const std::vector<PrunedGraph>& levels, int batch, int threads,
                    LatencyOptions options);

/// One 1x1 convolution (or the head) over a sweep: what sparse kernels can make faster.
struct LayerCurve {
  std::string name, shape;                   ///< "features.1.conv.1", "32→16, 32×32"
  std::vector<double> sparsity;              ///< its own, by level
  std::vector<std::vector<LayerTime>> time;  ///< [level][engine]; ms is NaN if the engine has none

  double speedup(size_t level, size_t engine) const;
  /// In its own sparsity, which global pruning makes another than the network's.
  BreakEven break_even(size_t engine) const;
};
std::vector<LayerCurve> layer_curves(const Sweep& sweep);
/// All the other layers together: time of the first engine divided by that of this one.
double speedup_of_others(const Sweep& sweep, size_t level, size_t engine);

}  // namespace edgeprune
