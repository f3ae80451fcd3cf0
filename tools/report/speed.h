#pragma once
// How much faster than the unpruned network on dense kernels, by which means.

#include <optional>
#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/report/query.h"
#include "tools/report/results.h"

namespace edgeprune {

/// From what factor on a network counts as faster: less is within the noise of timing.
inline constexpr double kFaster = 1.05;

/// What could make a pruned network faster.
enum class Means {
  dense_kernels,    ///< zeros, on the dense engine: what original_results.h is about
  sparse_kernels,   ///< zeros, on an engine that skips them (sparse, auto)
  removed_channels  ///< smaller layers, on any engine
};

/// A row's time on one engine.
struct TimedRow {
  const RunRecord* row = nullptr;
  std::string engine;
  Timing timing{};
  double ms = 0;      ///< median, per image
  double factor = 0;  ///< the baseline's on the dense engine, same timing, over it; 0: unknown
};

/// The row's fastest engine; nothing if the row was not timed so.
std::optional<TimedRow> fastest_engine(const Results& results, const RunRecord& row,
                                       const Timing& timing);

/// The largest factor among pruned rows of at least `min_accuracy`, over the given timings; nothing
/// if none was measured.
std::optional<TimedRow> largest_factor(const Results& results, Means means,
                                       const std::vector<Timing>& timings, double min_accuracy = 0);

/// The median factor of the same rows and timings; nothing if none was measured.
std::optional<double> median_factor(const Results& results, Means means,
                                    const std::vector<Timing>& timings);

/// "1.01 times in the median of the rows, " where the largest factor would mislead, as made_faster()
/// explains: on dense kernels. Else empty.
std::string typical_text(const Results& results, Means means, const std::vector<Timing>& timings);

/// Whether `means` made the network faster, by kFaster. The largest factor decides, except on dense
/// kernels: they do the same work whatever the zeros, so that all rows repeat one measurement, of
/// which the largest is noise and the median the result.
bool made_faster(const Results& results, Means means, const std::vector<Timing>& timings);

/// Which engines and modes of `row` count as `means`.
bool applies(Means means, const RunRecord& row, const std::string& engine);

/// The largest factors, one row a timing: of all rows, and of those at most half a point below the
/// baseline.
Table speed_table(const Results& results);

/// "Sparse is faster than dense at batch 64 on 1 thread: channel not in these rows; magnitude from
/// about 40 % sparsity.": per timing, each variant's zeros, by linear interpolation between
/// neighbouring rows. Compact rows are left out, unless there are no others.
std::vector<std::string> sparse_against_dense(const Results& results);

}  // namespace edgeprune
