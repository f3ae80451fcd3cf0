#pragma once
// Sweeps as tables.

#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/measurement/machine.h"
#include "tools/sweeps/breakeven.h"

namespace edgeprune {

/// ms an image and speed-up by level.
Table end_to_end_table(const Sweep& sweep);
/// The network's and each layer's break-even, and their speed-up at the highest level.
Table break_even_table(const Sweep& sweep);
/// For programs: all of it, a row for each level, engine and layer ("network" is end to end).
Table breakeven_records(const std::vector<Sweep>& sweeps, const std::string& model,
                        const Machine& machine);
/// Those rows as lines of JSON.
std::string json_lines(const Table& table);

}  // namespace edgeprune
