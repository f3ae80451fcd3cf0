#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "tools/report/query.h"
#include "tools/report/results_table.h"
#include "tools/report/wording.h"

namespace edgeprune {

Table recovery_table(const Results& results) {
  Table table({{"pruning", "pruning", Align::left},
               {"recovery", "recovery", Align::left},
               {"epochs", "epochs"},
               {"before fine-tuning %", "accuracy_before_percent"},
               {"accuracy %", "accuracy_percent"},
               {"gain", "gain_points"},
               {"p", "p_value", Align::left}});
  const auto pruning = [](const RunRecord& row) {
    return std::tuple(row.method, row.mode, row.schedule, row.limits,
                      std::lround(1000 * row.target), row.quantization);
  };
  for (const auto& key : distinct(results.rows(), pruning)) {
    std::vector<const RunRecord*> group;
    for (const RunRecord& row : results.rows()) {
      if (pruning(row) == key) group.push_back(&row);
    }
    if (std::all_of(group.begin(), group.end(), [](auto* row) { return row->recovery.empty(); })) {
      continue;
    }
    const auto without = std::ranges::find(group, std::string(), &RunRecord::recovery);
    const RunRecord* plain = without == group.end() ? nullptr : *without;
    std::stable_partition(group.begin(), group.end(), [&](auto* row) { return row == plain; });
    for (const RunRecord* row : group) {
      const bool compared = plain != nullptr && row != plain;
      const Comparison found = compared ? results.compare(*row, *plain) : Comparison();
      table.add_row(
          {fmt::format("{}, {} {:.0f} %{}{}{}", variant(*row), row->schedule, 100 * row->target,
                       row->limits.empty() ? "" : ", ", row->limits, integer_suffix(*row)),
           row->recovery.empty() ? "none" : row->recovery, row->epochs_spent,
           Number{100 * row->accuracy_before, 2}, Number{100 * row->accuracy, 2},
           compared ? Number{100 * found.difference, 2} : Cell(),
           compared ? Cell(p_text(found.p)) : Cell()});
    }
  }
  return table;
}

}  // namespace edgeprune
