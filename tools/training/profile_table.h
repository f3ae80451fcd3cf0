#pragma once

#include <string>

#include "engine/base/profiler.h"
#include "tools/cli/table.h"
#include "tools/training/trainer.h"

namespace edgeprune {

/// Per family and phase: milliseconds a step, share of the whole, GFLOP/s or GB/s, and the share of
/// what this machine can do (measured here, with the thread count in force: about half a second).
/// `steps` are those that the profiler was told of; their time includes what no family accounts
/// for, "other". Throws std::invalid_argument if there was none.
Table profile_table(const Profiler& profiler, const SteadySteps& steps);

/// A line on what no row of the table says: the steps that it is about, and fresh buffers a step.
std::string profile_summary(const SteadySteps& steps);

}  // namespace edgeprune
