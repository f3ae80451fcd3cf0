#include "tools/report/best_configuration.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

constexpr double kHalfAPoint = 0.005;

int64_t smaller_file(const RunRecord& row) {
  if (row.sparse_file_bytes <= 0) return row.file_bytes;
  return std::min(row.file_bytes, row.sparse_file_bytes);
}

void add(std::vector<BestRow>& best, const std::string& what, const RunRecord* row) {
  const auto known =
      std::find_if(best.begin(), best.end(), [&](const BestRow& b) { return b.row == row; });
  if (known == best.end()) {
    best.push_back({what, row});
  } else {
    known->best_at += ", " + what;
  }
}

std::vector<BestRow> with_baseline(const Results& results, const std::vector<BestRow>& best) {
  std::vector<BestRow> rows = {{"unpruned", results.baseline()}};
  rows.insert(rows.end(), best.begin(), best.end());
  return rows;
}

}  // namespace

double accuracy_allowance(const Results& results) {
  return std::max(kHalfAPoint, results.resolution());
}

std::string allowance_text(const Results& results) {
  const double allowance = accuracy_allowance(results);
  if (allowance == kHalfAPoint) return "half a point";
  return fmt::format("{:.2f} points (what {} test images resolve)", 100 * allowance,
                     results.baseline()->test_images);
}

std::string why_none_is_best(const Results& results) {
  const bool pruned = std::ranges::any_of(
      results.rows(), [](const RunRecord& row) { return row.method != "none"; });
  if (!pruned) return "no pruned row has finished yet";
  return fmt::format("no pruned row stays within {} of the baseline's {} accuracy",
                     allowance_text(results), percent_text(results.baseline()->accuracy, 2));
}

std::vector<BestRow> best_rows(const Results& results) {
  const RunRecord* baseline = results.baseline();
  if (baseline == nullptr) return {};
  std::vector<const RunRecord*> rows;
  for (const RunRecord& row : results.rows()) {
    const bool accurate = row.accuracy >= baseline->accuracy - accuracy_allowance(results) - 1e-12;
    if (&row != baseline && accurate) rows.push_back(&row);
  }
  if (rows.empty()) return {};
  std::vector<BestRow> best;
  const RunRecord* sparsest = *std::max_element(
      rows.begin(), rows.end(), [](auto* a, auto* b) { return a->sparsity() < b->sparsity(); });
  if (sparsest->method != "none") add(best, "sparsest", sparsest);
  for (const Timing& timing : main_timings(results.rows())) {
    const RunRecord* fastest = nullptr;
    double largest = 0;
    for (const RunRecord* row : rows) {
      const auto time = fastest_engine(results, *row, timing);
      if (time && time->factor.low > largest) fastest = row, largest = time->factor.low;
    }
    if (fastest != nullptr) add(best, "fastest at " + timing_text(timing), fastest);
  }
  add(best, "smallest file", *std::min_element(rows.begin(), rows.end(), [](auto* a, auto* b) {
        return smaller_file(*a) < smaller_file(*b);
      }));
  return best;
}

Table best_sizes(const Results& results, const std::vector<BestRow>& best) {
  Table table({{"row", "id", Align::left},
               {"best at", "best_at", Align::left},
               {"accuracy %", "accuracy_percent"},
               {"vs baseline", "accuracy_difference_points"},
               {"sparsity %", "sparsity_percent"},
               {"multiply-adds removed %", "multiply_adds_removed_percent"},
               {"file MB", "file_megabytes"},
               {"stored sparse MB", "sparse_file_megabytes"}});
  const RunRecord& baseline = *results.baseline();
  for (const auto& [best_at, row] : with_baseline(results, best)) {
    table.add_row({row->id, best_at, Number{100 * row->accuracy, 2},
                   row == &baseline ? Cell() : Number{100 * (row->accuracy - baseline.accuracy), 2},
                   Number{100 * row->sparsity(), 1}, Number{100 * row->multiply_adds_removed(), 1},
                   megabytes(row->file_bytes), megabytes(row->sparse_file_bytes)});
  }
  return table;
}

}  // namespace edgeprune
