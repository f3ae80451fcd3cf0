#pragma once

#include "engine/base/profiler.h"
#include "tools/cli/table.h"

namespace edgeprune {

/// Per family and phase: milliseconds a step, share of the whole, GFLOP/s or GB/s, and the share of
/// what this machine can do (measured here, with the thread count in force: about half a second).
/// `total_seconds` includes what no family accounts for.
Table profile_table(const Profiler& profiler, int64_t steps, double total_seconds);

}  // namespace edgeprune
