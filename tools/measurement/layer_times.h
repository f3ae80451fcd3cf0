#pragma once
// Where an image's time goes, layer by layer, and how near each layer is to what the machine can
// do.

#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/measurement/latency_table.h"
#include "tools/measurement/limits.h"

namespace edgeprune {

/// In the order of each layer's first step.
std::vector<LayerTime> layer_times(const std::vector<StepTime>& steps);

/// For programs: a row for each layer of each latency, and one for "all layers".
Table layer_records(const std::vector<ModelLatency>& latencies, const Machine& machine);

/// For people: for each model, batch and thread count a Markdown table, engines side by side, and
/// the three layers of each engine that lose most time to their limit.
std::string layer_report(const std::vector<ModelLatency>& latencies);

}  // namespace edgeprune
