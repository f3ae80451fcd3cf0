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

/// Sparse minus dense at a sparsity, as shares of the unpruned network's time.
struct Gap {
  double sparsity = 0;
  Interval time{};
};

/// The baseline and all rows of one variant that have both engines' times, by ascending sparsity.
std::vector<Gap> gaps(const Results& results, const std::string& of, const Timing& timing) {
  std::vector<Gap> found;
  for (const RunRecord& row : results.rows()) {
    if (variant(row) != of && row.method != "none") continue;
    const LatencyCell* dense = find_latency(row, "dense", timing);
    const LatencyCell* sparse = find_latency(row, "sparse", timing);
    if (dense == nullptr || sparse == nullptr || trusted_factor(row, *dense) == nullptr) continue;
    const Factor &other = *dense->factor, &own = *sparse->factor;
    const double reference = 1 / other.median;
    found.push_back(
        {row.sparsity(),
         {1 / own.median - reference, 1 / own.high - reference, 1 / own.low - reference}});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Gap& a, const Gap& b) { return a.sparsity < b.sparsity; });
  return found;
}

/// Where one end of the gaps crosses zero: 0 if it is below everywhere, 1 if it is not at the last.
/// Looks behind the last row where sparse is not faster: "from" promises that no denser row follows
/// that disagrees.
double crossing(const std::vector<Gap>& gaps, double Interval::*end) {
  const auto last_slow =
      std::find_if(gaps.rbegin(), gaps.rend(), [=](const Gap& gap) { return gap.time.*end >= 0; });
  if (last_slow == gaps.rend()) return 0;
  if (last_slow == gaps.rbegin()) return 1;
  const Gap& slow = *last_slow;
  const Gap& fast = *std::prev(last_slow);
  const double share = slow.time.*end / (slow.time.*end - fast.time.*end);
  return slow.sparsity + share * (fast.sparsity - slow.sparsity);
}

std::string faster_from(const std::vector<Gap>& gaps) {
  const auto text = [](double at) { return at == 1 ? "never" : fmt::format("{:.0f} %", 100 * at); };
  const double at = crossing(gaps, &Interval::median);
  if (at == 0) return "in all of these rows";
  if (at == 1) return "not in these rows";
  const std::string earliest = text(crossing(gaps, &Interval::low));
  const std::string latest = text(crossing(gaps, &Interval::high));
  const std::string range = earliest == latest ? "" : fmt::format(" ({} to {})", earliest, latest);
  return fmt::format("from about {} sparsity{}", text(at), range);
}

TimedRow timed(const Results& results, const RunRecord& row, const LatencyCell& cell) {
  return {&row,
          cell.engine,
          {cell.batch, cell.threads},
          *cell.factor,
          paced(results, cell, *cell.factor)};
}

/// All of the rows' times that `means` applies to.
std::vector<TimedRow> timed_rows(const Results& results, Means means,
                                 const std::vector<Timing>& timings) {
  std::vector<TimedRow> found;
  for (const RunRecord& row : results.rows()) {
    for (const LatencyCell& cell : row.latency) {
      if (!applies(means, row, cell.engine) || trusted_factor(row, cell) == nullptr) continue;
      const Timing timing{cell.batch, cell.threads};
      if (std::find(timings.begin(), timings.end(), timing) == timings.end()) continue;
      found.push_back(timed(results, row, cell));
    }
  }
  return found;
}

Cell factor_cell(Means means, const std::optional<TimedRow>& found) {
  if (!found) return {};
  const Factor& factor = found->factor;
  const std::string text = fmt::format("{:.2f} ({:.2f} to {:.2f}; {}", factor.median, factor.low,
                                       factor.high, found->row->id);
  return means == Means::dense_kernels ? text + ")" : fmt::format("{}, {})", text, found->engine);
}

}  // namespace

Effect effect_of(Means means, const Factor& factor) {
  if (factor.low >= kFaster) return Effect::faster;
  if (means == Means::dense_kernels) return Effect::none;
  if (factor.low > 1) return Effect::slight;
  return factor.high < 1 ? Effect::slower : Effect::none;
}

bool applies(Means means, const RunRecord& row, const std::string& engine) {
  if (row.is_quantized()) return means == Means::integers;
  if (row.method == "none") return false;
  if (row.mode == "compact") return means == Means::removed_channels;
  return means == (engine == "dense" ? Means::dense_kernels : Means::sparse_kernels);
}

Interval paced(const Results& results, const LatencyCell& cell, const Factor& factor) {
  const RunRecord* baseline = results.baseline();
  const LatencyCell* dense =
      baseline != nullptr ? find_latency(*baseline, "dense", {cell.batch, cell.threads}) : nullptr;
  const double unpruned = dense != nullptr ? dense->median : cell.median * factor.median;
  return {unpruned / factor.median, unpruned / factor.high, unpruned / factor.low};
}

std::optional<TimedRow> fastest_engine(const Results& results, const RunRecord& row,
                                       const Timing& timing) {
  std::optional<TimedRow> best;
  for (const LatencyCell& cell : row.latency) {
    if (Timing{cell.batch, cell.threads} != timing) continue;
    const Factor* factor = trusted_factor(row, cell);
    if (factor != nullptr && (!best || factor->low > best->factor.low))
      best = timed(results, row, cell);
  }
  return best;
}

std::optional<TimedRow> largest_factor(const Results& results, Means means,
                                       const std::vector<Timing>& timings, double min_accuracy) {
  std::optional<TimedRow> best;
  for (const TimedRow& candidate : timed_rows(results, means, timings)) {
    if (candidate.row->accuracy < min_accuracy) continue;
    if (!best || candidate.factor.low > best->factor.low) best = candidate;
  }
  return best;
}

std::optional<double> median_factor(const Results& results, Means means,
                                    const std::vector<Timing>& timings) {
  std::vector<double> factors;
  for (const TimedRow& row : timed_rows(results, means, timings))
    factors.push_back(row.factor.median);
  return factors.empty() ? std::nullopt : std::optional(median(std::move(factors)));
}

std::string typical_text(const Results& results, Means means, const std::vector<Timing>& timings) {
  if (means != Means::dense_kernels) return {};
  const auto median = median_factor(results, means, timings);
  return median ? factor_text(*median) + " in the median of the rows, " : "";
}

bool made_faster(const Results& results, Means means, const std::vector<Timing>& timings) {
  const auto largest = largest_factor(results, means, timings);
  return largest && effect_of(means, largest->factor) == Effect::faster;
}

std::string noise_sentence(const Results& results) {
  int64_t all = 0, noisy = 0, apart = 0;
  for (const RunRecord& row : results.rows()) {
    for (const Timing& timing : timings({row})) {
      const std::string found = doubt(row, timing);
      ++all;
      noisy += found.starts_with("noisy");
      apart += found.starts_with("not");
    }
  }
  if (apart > 0) {
    return fmt::format(
        "{} of {} rows' timings were not taken in turns with the unpruned network's, so that their "
        "factors are unknown: study --remeasure takes them so.",
        apart, all);
  }
  if (noisy == 0) return {};
  return fmt::format(
      "{} of {} timings {} noisy and decide nothing: identical work differed by more than {:.0f} "
      "%, a factor is not known to {:.0f} %, other programs had the processors, or threads did not "
      "work side by side. study "
      "--remeasure takes them anew, on a quieter machine.",
      noisy, all, noisy == 1 ? "is" : "are", 100 * kControlAllowance, 100 * kControlAllowance);
}

Table speed_table(const Results& results) {
  std::vector<Column> columns = {{"batch", "batch"},
                                 {"threads", "threads"},
                                 {"rows", "rows", Align::left},
                                 {"zeros on dense kernels", "dense_kernels", Align::left},
                                 {"zeros on sparse kernels", "sparse_kernels", Align::left},
                                 {"channels removed", "removed_channels", Align::left}};
  std::vector<Means> all = {Means::dense_kernels, Means::sparse_kernels, Means::removed_channels};
  if (results.has_quantized()) {
    columns.push_back({"8-bit integers", "integers", Align::left});
    all.push_back(Means::integers);
  }
  Table table(std::move(columns));
  for (const Timing& timing : timings(results.rows())) {
    for (const bool accurate : {false, true}) {
      if (accurate && results.baseline() == nullptr) continue;
      const double least =
          accurate ? results.baseline()->accuracy - accuracy_allowance(results) : 0;
      std::vector<Cell> cells = {
          timing.batch, timing.threads,
          accurate ? fmt::format("≤ {:.2g} points below", 100 * accuracy_allowance(results))
                   : "all"};
      for (const Means means : all) {
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
