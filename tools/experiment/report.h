#pragma once
// What a study's runs say: a table, and a page of Markdown around it.

#include <string>
#include <vector>

#include "tools/cli/table.h"
#include "tools/experiment/records.h"

namespace edgeprune {

/// One row a run. Latency is the median in ms per image, one column an engine, batch size and
/// thread count that occurs
/// ("sparse b64 t1 ms"), followed by sparse's speed-up over dense where any run has both.
Table results_table(const std::vector<RunRecord>& records);

/// The same latencies, one row a run, batch size and thread count, and one column an engine: narrow
/// enough to read.
Table latency_table(const std::vector<RunRecord>& records);

/// A page of Markdown: the machine; what follows from the rows (the most accurate run, and from
/// what sparsity on the sparse engine is faster than the dense one, by linear interpolation between
/// a method's neighbouring rows); accuracy and size of each run; latency.
std::string report_markdown(const std::vector<RunRecord>& records);

}  // namespace edgeprune
