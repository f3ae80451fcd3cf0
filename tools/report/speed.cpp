#include "tools/report/speed.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "tools/measurement/statistics.h"
#include "tools/report/best_configuration.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

/// Sparse minus dense, in ms per image, at a sparsity.
struct Gap {
  double sparsity, milliseconds;
};

/// The baseline and all rows of one variant that have both engines' times, by ascending sparsity.
std::vector<Gap> gaps(const Results& results, const std::string& of, const Timing& timing) {
  std::vector<Gap> found;
  for (const RunRecord& row : results.rows()) {
    if (variant(row) != of && row.method != "none") continue;
    const LatencyCell* dense = find_latency(row, "dense", timing);
    const LatencyCell* sparse = find_latency(row, "sparse", timing);
    if (dense != nullptr && sparse != nullptr) {
      found.push_back({row.sparsity(), sparse->median - dense->median});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Gap& a, const Gap& b) { return a.sparsity < b.sparsity; });
  return found;
}

/// Looks behind the last row where sparse is not faster: "from" promises that no denser row follows
/// that disagrees.
std::string faster_from(const std::vector<Gap>& gaps) {
  const auto last_slow = std::find_if(gaps.rbegin(), gaps.rend(),
                                      [](const Gap& gap) { return gap.milliseconds >= 0; });
  if (last_slow == gaps.rend()) return "in all of these rows";
  if (last_slow == gaps.rbegin()) return "not in these rows";
  const Gap& slow = *last_slow;
  const Gap& fast = *std::prev(last_slow);
  const double share = slow.milliseconds / (slow.milliseconds - fast.milliseconds);
  return fmt::format("from about {:.0f} % sparsity",
                     100 * (slow.sparsity + share * (fast.sparsity - slow.sparsity)));
}

TimedRow timed(const Results& results, const RunRecord& row, const LatencyCell& cell) {
  TimedRow result{&row, cell.engine, {cell.batch, cell.threads}, cell.median};
  const RunRecord* baseline = results.baseline();
  const LatencyCell* dense =
      baseline != nullptr ? find_latency(*baseline, "dense", result.timing) : nullptr;
  if (dense != nullptr && cell.median > 0) result.factor = dense->median / cell.median;
  return result;
}

/// All of the rows' times that `means` applies to.
std::vector<TimedRow> timed_rows(const Results& results, Means means,
                                 const std::vector<Timing>& timings) {
  std::vector<TimedRow> found;
  for (const RunRecord& row : results.rows()) {
    for (const LatencyCell& cell : row.latency) {
      if (!applies(means, row, cell.engine)) continue;
      const Timing timing{cell.batch, cell.threads};
      if (std::find(timings.begin(), timings.end(), timing) == timings.end()) continue;
      found.push_back(timed(results, row, cell));
    }
  }
  return found;
}

Cell factor_cell(Means means, const std::optional<TimedRow>& found) {
  if (!found) return {};
  if (means == Means::dense_kernels)
    return fmt::format("{:.2f} ({})", found->factor, found->row->id);
  return fmt::format("{:.2f} ({}, {})", found->factor, found->row->id, found->engine);
}

}  // namespace

bool applies(Means means, const RunRecord& row, const std::string& engine) {
  if (row.method == "none") return false;
  if (row.mode == "compact") return means == Means::removed_channels;
  return means == (engine == "dense" ? Means::dense_kernels : Means::sparse_kernels);
}

std::optional<TimedRow> fastest_engine(const Results& results, const RunRecord& row,
                                       const Timing& timing) {
  std::optional<TimedRow> best;
  for (const LatencyCell& cell : row.latency) {
    if (Timing{cell.batch, cell.threads} != timing) continue;
    if (!best || cell.median < best->ms) best = timed(results, row, cell);
  }
  return best;
}

std::optional<TimedRow> largest_factor(const Results& results, Means means,
                                       const std::vector<Timing>& timings, double min_accuracy) {
  std::optional<TimedRow> best;
  for (const TimedRow& candidate : timed_rows(results, means, timings)) {
    if (candidate.row->accuracy < min_accuracy) continue;
    if (candidate.factor > (best ? best->factor : 0)) best = candidate;
  }
  return best;
}

std::optional<double> median_factor(const Results& results, Means means,
                                    const std::vector<Timing>& timings) {
  std::vector<double> factors;
  for (const TimedRow& row : timed_rows(results, means, timings)) {
    if (row.factor > 0) factors.push_back(row.factor);
  }
  return factors.empty() ? std::nullopt : std::optional(median(std::move(factors)));
}

std::string typical_text(const Results& results, Means means, const std::vector<Timing>& timings) {
  if (means != Means::dense_kernels) return {};
  const auto median = median_factor(results, means, timings);
  return median ? factor_text(*median) + " in the median of the rows, " : "";
}

bool made_faster(const Results& results, Means means, const std::vector<Timing>& timings) {
  if (means == Means::dense_kernels) {
    return median_factor(results, means, timings).value_or(0) >= kFaster;
  }
  const auto largest = largest_factor(results, means, timings);
  return largest && largest->factor >= kFaster;
}

Table speed_table(const Results& results) {
  Table table({{"batch", "batch"},
               {"threads", "threads"},
               {"rows", "rows", Align::left},
               {"zeros on dense kernels", "dense_kernels", Align::left},
               {"zeros on sparse kernels", "sparse_kernels", Align::left},
               {"channels removed", "removed_channels", Align::left}});
  for (const Timing& timing : timings(results.rows())) {
    for (const bool accurate : {false, true}) {
      if (accurate && results.baseline() == nullptr) continue;
      const double least = accurate ? results.baseline()->accuracy - kAccuracyAllowance : 0;
      std::vector<Cell> cells = {timing.batch, timing.threads,
                                 accurate ? "≤ 0.5 points below" : "all"};
      for (const Means means :
           {Means::dense_kernels, Means::sparse_kernels, Means::removed_channels}) {
        cells.push_back(factor_cell(means, largest_factor(results, means, {timing}, least)));
      }
      table.add_row(std::move(cells));
    }
  }
  return table;
}

std::vector<std::string> sparse_against_dense(const Results& results) {
  std::set<std::string> masked, compact;
  for (const RunRecord& row : results.rows()) {
    if (row.method != "none") (row.mode == "compact" ? compact : masked).insert(variant(row));
  }
  std::vector<std::string> sentences;
  for (const Timing& timing : timings(results.rows())) {
    std::vector<std::string> answers;
    for (const std::string& name : masked.empty() ? compact : masked) {
      const std::vector<Gap> found = gaps(results, name, timing);
      if (!found.empty()) answers.push_back(name + " " + faster_from(found));
    }
    if (answers.empty()) continue;
    sentences.push_back(fmt::format("Sparse is faster than dense at {}: {}.", timing_text(timing),
                                    fmt::join(answers, "; ")));
  }
  return sentences;
}

}  // namespace edgeprune
