#pragma once
// Sensitivities as tables and as a picture.

#include "tools/cli/table.h"
#include "tools/measurement/machine.h"
#include "tools/plots/heat_map.h"
#include "tools/sweeps/sensitivity.h"

namespace edgeprune {

/// For people: a row a layer; the points of accuracy lost and the sparse kernel's speed-up by
/// level.
Table sensitivity_table(const Sensitivity& sensitivity);
/// For programs: a row for each layer and level.
Table sensitivity_records(const Sensitivity& sensitivity, const std::string& model,
                          const Machine& machine);
/// The points of accuracy lost, layers by levels.
HeatMap sensitivity_heat_map(const Sensitivity& sensitivity);
/// The layers that lose most at the highest level, most first.
std::vector<std::string> most_sensitive(const Sensitivity& sensitivity, size_t count);

}  // namespace edgeprune
