#pragma once
// Questions that tables and plots ask of a study's runs.

#include <compare>
#include <string>
#include <vector>

#include "tools/experiment/records.h"

namespace edgeprune {

/// The unpruned run (method "none") the others are compared with; null if there is none.
const RunRecord* find_baseline(const std::vector<RunRecord>& records);

/// How a latency was measured.
struct Timing {
  int batch, threads;
  auto operator<=>(const Timing&) const = default;
};

/// The latency of one engine; null if the run has none.
const LatencyCell* find_latency(const RunRecord& record, const std::string& engine,
                                const Timing& timing);

/// The timings of all runs, by batch size, then threads.
std::vector<Timing> timings(const std::vector<RunRecord>& records);

/// The engines of all runs: dense, sparse, then others by name.
std::vector<std::string> engines(const std::vector<RunRecord>& records);

}  // namespace edgeprune
