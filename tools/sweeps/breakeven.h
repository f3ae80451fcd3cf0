#pragma once
// From how many zeros on sparse kernels beat dense ones: the network and each of its layers, from
// times of one model pruned to several levels.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/nn/network.h"
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

/// The same of factors with intervals: by their medians, and if all were at the upper or at the
/// lower end.
struct BreakEvenRange {
  BreakEven at, earliest, latest;
};
BreakEvenRange break_even_range(const std::vector<std::pair<double, Interval>>& points);
/// "43.2 % (41.9 % to 45.0 %)", "92.1 % (90.3 % to never)"; "always" if it is that at both ends.
std::string to_string(const BreakEvenRange& result);

/// The model at one level.
struct PrunedGraph {
  double level = 0;  ///< fraction of all prunable weights that are zero
  std::shared_ptr<const inference::Graph> graph;
};
/// In ascending order, each once. Throws std::invalid_argument unless there are any and all are in
/// [0, 1).
std::vector<double> sorted_levels(std::vector<double> levels);
/// In which numbers a sweep's graphs are.
enum class Numbers {
  floats,
  integers,  ///< on grids of random images' ranges: what they show is not what kernels' time depends on
};
/// Prunes by global magnitude, in place, to each of the ascending levels in turn. Throws
/// std::invalid_argument if more than a level is zero already (one that is met already, to a tenth
/// of a percent, is left as it is), and what quantize() throws.
std::vector<PrunedGraph> prune_to_levels(nn::Network& model, const std::vector<double>& levels,
                                         Numbers numbers = Numbers::floats);

/// Engines of a sweep: what the others have to beat, the one that skips zeros (int8-sparse wherever it
/// can, not where that pays alone), and auto, which chooses.
std::vector<inference::Engine> breakeven_engines(Numbers numbers = Numbers::floats);
/// What engines compute in. Throws std::invalid_argument unless they are breakeven_engines(), with auto
/// or without.
Numbers numbers_of(const std::vector<inference::Engine>& engines);

/// One layer that has a sparse kernel over a sweep.
struct LayerCurve {
  std::string name, shape;                   ///< "features.1.conv.1", "32→16, 32×32"
  std::vector<double> sparsity;              ///< its own, by level
  std::vector<std::vector<LayerTime>> time;  ///< [level][engine]; ms is NaN if the engine has none
  /// [level][engine]: how many times as fast as the first engine, by the rounds.
  std::vector<std::vector<Interval>> factor;

  double speedup(size_t level, size_t engine) const { return factor[level][engine].median; }
  /// In its own sparsity, which global pruning makes another than the network's.
  BreakEvenRange break_even(size_t engine) const;
};

/// All levels and engines at one batch size and thread count.
struct Sweep {
  int batch = 1, threads = 1;
  std::vector<PrunedGraph> levels;
  std::vector<std::vector<LatencyResult>> results;  ///< [level][engine], with steps
  std::vector<LayerCurve> curves;                   ///< layer_curves() of the above
  std::vector<inference::Engine> engines = breakeven_engines();

  /// Of the whole network, how many times as fast as the first engine at the same level.
  Factor factor(size_t level, size_t engine) const;
  double speedup(size_t level, size_t engine) const { return factor(level, engine).median; }
  BreakEvenRange network_break_even(size_t engine) const;
  /// Of the first engine, how many times as fast as at the first level. Dense kernels do the same
  /// work at all levels, so that it is 1 unless something disturbed the times.
  Factor control(size_t level) const { return *results[level][0].cell.factor; }
  /// An engine's time, in ms an image: the first engine's at the first level, divided by factors,
  /// so that what differs between levels is not the hour at which they were timed.
  Interval milliseconds(size_t level, size_t engine) const;
};
/// Times all in the same rounds.
Sweep measure_sweep(const std::vector<PrunedGraph>& levels,
                    const std::vector<inference::Engine>& engines, int batch, int threads,
                    LatencyOptions options);
std::vector<LayerCurve> layer_curves(const Sweep& sweep);
/// All the other layers together: time of the first engine divided by that of this one.
double speedup_of_others(const Sweep& sweep, size_t level, size_t engine);

/// "dense kernels do the same work at all levels, but were 0.82 times as fast at 50 % as at 0 %";
/// nothing as long as they are within 5 % of one another.
std::optional<std::string> disturbance(const Sweep& sweep);

}  // namespace edgeprune
