#pragma once
// A study's rows as tables.

#include "tools/cli/table.h"
#include "tools/report/results.h"

namespace edgeprune {

/// Everything, one line a row, for spreadsheets and programs. Of several seeds the mean, and the
/// accuracy's least and greatest. Latency is the median in ms per image, one column an engine,
/// batch size and thread count that occurs ("sparse b64 t1 ms"), followed by sparse's speed-up over
/// dense where any row has both. p is McNemar's against the baseline.
Table results_table(const Results& results);

/// Sparsity, accuracy and latency, each with that of the original study (original_results.h) beside
/// it.
Table comparison_table(const Results& results);

/// What each row weighs and what it took: parameters, multiply-adds, files, epochs, minutes.
Table size_table(const Results& results);

/// The latencies, one line a row, batch size and thread count, and one column an engine: narrow
/// enough to read.
Table latency_table(const Results& results);

/// Rows with recovery (recovery.h) beside the same pruning without; no lines if there are none.
Table recovery_table(const Results& results);

}  // namespace edgeprune
