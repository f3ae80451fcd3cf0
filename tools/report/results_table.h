#pragma once
// A study's rows as tables.

#include <vector>

#include "tools/cli/table.h"
#include "tools/report/results.h"

namespace edgeprune {

/// Everything, one line a row, for spreadsheets and programs. Of several seeds the mean, and the
/// accuracy's least and greatest. Latency is the median in ms per image, one column an engine,
/// batch size and thread count that occurs ("sparse b64 t1 ms"), each followed by its factor against
/// the unpruned network on dense kernels with its interval where any row has one that can be
/// trusted, then why a row's times decide nothing (noise.h), then sparse's speed-up over dense. p is
/// McNemar's against the baseline.
Table results_table(const Results& results);

/// Sparsity, accuracy and latency, each with that of the original study (original_results.h) beside
/// it if the data are its.
Table comparison_table(const Results& results);

/// What each row weighs and what it took: parameters, multiply-adds, files, epochs, minutes.
Table size_table(const Results& results);

/// The latencies of the given rows, a line for each batch size, thread count, row and engine: median
/// and percentiles, the factor with its interval, and a remark where they decide nothing.
Table latency_table(const std::vector<const RunRecord*>& rows);
/// Of all rows.
Table latency_table(const Results& results);

/// Rows with recovery (recovery.h) beside the same pruning without; no lines if there are none.
Table recovery_table(const Results& results);

}  // namespace edgeprune
