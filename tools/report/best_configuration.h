#pragma once
// The best of the rows that cost (nearly) no accuracy.

#include <string>
#include <utility>
#include <vector>

#include "tools/cli/table.h"
#include "tools/report/query.h"
#include "tools/report/results.h"

namespace edgeprune {

/// What a row may lose against the baseline and count as equally accurate: half a percentage point,
/// or what the test images can resolve (Results::resolution()) if that is more.
double accuracy_allowance(const Results& results);
/// "half a point", "1.72 points (what 2000 test images resolve)"
std::string allowance_text(const Results& results);

/// A row and in what it is best: "sparsest", "fastest at batch 1 on 1 thread, smallest file".
struct BestRow {
  std::string best_at;
  const RunRecord* row = nullptr;
};

/// Of the rows, pruned or in integers or both, at most accuracy_allowance() below the baseline: the sparsest first, if any is pruned, then the
/// fastest on any engine per main timing (by the lower end of its factor), then the smallest file (dense or sparse), each row once.
/// Empty without a baseline or without such a row.
std::vector<BestRow> best_rows(const Results& results);

/// Why there is none, beside a baseline: "no pruned row stays within half a point of the baseline's 89.80 %
/// accuracy", or "no pruned row has finished yet".
std::string why_none_is_best(const Results& results);

/// Accuracy, sparsity and size on disk of the baseline and the best rows.
Table best_sizes(const Results& results, const std::vector<BestRow>& best);
}  // namespace edgeprune
