#pragma once
// The best of the rows that cost (nearly) no accuracy.

#include <string>
#include <utility>
#include <vector>

#include "tools/cli/table.h"
#include "tools/report/query.h"
#include "tools/report/results.h"

namespace edgeprune {

/// What a row may lose against the baseline: half a percentage point.
inline constexpr double kAccuracyAllowance = 0.005;

/// A row and in what it is best: "sparsest", "fastest at batch 1 on 1 thread, smallest file".
struct BestRow {
  std::string best_at;
  const RunRecord* row = nullptr;
};

/// Of the pruned rows at most kAccuracyAllowance below the baseline: the sparsest first, then the
/// fastest on any engine per main timing (by the lower end of its factor), then the smallest file (dense or sparse), each row once.
/// Empty without a baseline or without such a row.
std::vector<BestRow> best_rows(const Results& results);

/// Accuracy, sparsity and size on disk of the baseline and the best rows.
Table best_sizes(const Results& results, const std::vector<BestRow>& best);
}  // namespace edgeprune
