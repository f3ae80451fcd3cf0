#pragma once
// How much faster than the unpruned network on dense kernels, by which means.

#include <optional>
#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/report/noise.h"
#include "tools/report/query.h"
#include "tools/report/results.h"

namespace edgeprune {

/// From what factor on a network counts as faster: less is within what a control may be off.
inline constexpr double kFaster = 1.05;

/// What could make a pruned network faster.
enum class Means {
  dense_kernels,     ///< zeros, on the dense engine: what original_results.h is about
  sparse_kernels,    ///< zeros, on an engine that skips them (sparse, auto)
  removed_channels,  ///< smaller layers, on any engine
  integers           ///< 8 bits, with or without any of these, on any engine
};

/// What an interval of factors says of a network's speed. (Of zeros on dense kernels, whose work is the same,
/// it says nothing short of `faster`: what is further from 1 is noise, as noise.h says.)
enum class Effect {
  slower,  ///< all of it is below 1
  none,    ///< 1 is within it
  slight,  ///< all of it is above 1, but not above kFaster
  faster
};
Effect effect_of(Means means, const Factor& factor);

/// A row's time on one engine, if it can be trusted (noise.h).
struct TimedRow {
  const RunRecord* row = nullptr;
  std::string engine;
  Timing timing{};
  Factor factor{};  ///< against the unpruned network on the dense engine, in the same rounds
  Interval ms{};    ///< per image, at the baseline's pace: see paced()
};

/// A factor as milliseconds per image: the baseline's median on the dense engine, divided by it.
/// Rows timed at different moments can be compared so: the machine's pace cancels. By the row's own
/// median if there is no baseline.
Interval paced(const Results& results, const LatencyCell& cell, const Factor& factor);

/// The row's fastest engine, by the lower end of the interval; nothing if the row's times at that
/// timing decide nothing.
std::optional<TimedRow> fastest_engine(const Results& results, const RunRecord& row,
                                       const Timing& timing);

/// The factor whose interval's lower end is largest, among rows other than the baseline of at least `min_accuracy`
/// over the given timings: no lucky row. Nothing if none can be trusted.
std::optional<TimedRow> largest_factor(const Results& results, Means means,
                                       const std::vector<Timing>& timings, double min_accuracy = 0);

/// The median factor of the same rows and timings; nothing if none can be trusted.
std::optional<double> median_factor(const Results& results, Means means,
                                    const std::vector<Timing>& timings);

/// "1.01 times in the median of the rows, " on dense kernels: they do the same work whatever the
/// zeros, so that all rows repeat one measurement. Else empty.
std::string typical_text(const Results& results, Means means, const std::vector<Timing>& timings);

/// Whether the largest factor of `means` is Effect::faster.
bool made_faster(const Results& results, Means means, const std::vector<Timing>& timings);

/// "3 of 52 timings are noisy and decide nothing: ..."; "No factors: ..." if rows were not timed
/// together; empty if all can be trusted, or nothing was timed.
std::string noise_sentence(const Results& results);

/// Which engines and modes of `row` count as `means`.
bool applies(Means means, const RunRecord& row, const std::string& engine);

/// The largest factors, one row a timing: of all rows, and of those at most accuracy_allowance() below the
/// baseline.
Table speed_table(const Results& results);

/// "Sparse is faster than dense at batch 64 on 1 thread: channel not in these rows; magnitude from
/// about 40 % sparsity (38 % to 43 %).": per timing, each variant's zeros, by linear interpolation
/// between neighbouring rows that can be trusted. Compact rows are left out, unless there are no
/// others.
std::vector<std::string> sparse_against_dense(const Results& results);

}  // namespace edgeprune
