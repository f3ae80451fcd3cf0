#pragma once
// The original study's "combined strategy": prune, then quantise. Rows in floats beside the same in
// 8-bit integers.

#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/report/results.h"

namespace edgeprune {

/// For each main timing (query.h) a line a row, those in integers below the ones in floats that they
/// were made from, each on its fastest engine: accuracy, files, milliseconds at the unpruned
/// network's pace (speed.h), factors against the unpruned network in floats and in integers, CPU
/// time, and energy where the machine tells it. No lines if no row is in integers.
Table combined_table(const Results& results);

/// A sentence a main timing: how fast integers are alone, and with each pruning on top, and what
/// that costs in accuracy.
std::vector<std::string> combined_sentences(const Results& results);

/// Whether the machine told what energy it took, and if not, what stands in its place.
std::string energy_sentence(const Results& results);

}  // namespace edgeprune
