#pragma once
// Which times of a study can be trusted.
//
// Some are controls, whose truth is known: a network of zeroed weights is the unpruned network's
// work on dense kernels, and where nothing was zeroed `auto` has nothing to skip that dense does
// not. Where a control leaves 1 by more than 5 %, something else than the kernels made the times of
// that row, batch and thread count, and they decide nothing. Nor do they if other programs had more
// than half of a processor that the threads needed: then most rounds were disturbed, and with them
// their median. Nor if a time's median is more than a quarter above its best, or several threads
// took longer than one: then the threads did not work side by side for a part of the time.

#include <optional>
#include <string>

#include "tools/report/query.h"

namespace edgeprune {

/// What a control, and either end of an interval, may be off.
inline constexpr double kControlAllowance = 0.05;

/// Why a row's times at a timing decide nothing: "noisy: dense kernels, whose work is the same, were
/// 1.36 times as fast", "noisy: sparse is known to 12 % only", "noisy: others kept 0.9 of 2 processors
/// busy beside 2 threads", "not timed together"; empty if they do decide, or if there are none.
std::string doubt(const RunRecord& row, const Timing& timing);

/// The factor against the unpruned network on dense kernels; null if it is in doubt.
const Factor* trusted_factor(const RunRecord& row, const LatencyCell& cell);

}  // namespace edgeprune
