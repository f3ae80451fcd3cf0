#include "tools/experiment/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tools/experiment/query.h"

namespace edgeprune {
namespace {

using Records = std::vector<RunRecord>;

struct ReportColumn {
  Column heading;
  std::function<Cell(const RunRecord&)> cell;
};

Cell percent(double fraction) {
  return Number{100 * fraction, 2};
}

std::vector<ReportColumn> study_columns(const Records& records) {
  const RunRecord* baseline = find_baseline(records);
  return {
      {{"run", "id", Align::left}, [](const RunRecord& run) { return run.id; }},
      {{"method", "method", Align::left}, [](const RunRecord& run) { return run.method; }},
      {{"schedule", "schedule", Align::left}, [](const RunRecord& run) { return run.schedule; }},
      {{"sparsity %", "sparsity_percent"},
       [](const RunRecord& run) { return percent(run.sparsity()); }},
      {{"of prunable %", "prunable_sparsity_percent"},
       [](const RunRecord& run) { return percent(run.prunable_sparsity()); }},
      {{"accuracy %", "accuracy_percent"},
       [](const RunRecord& run) { return percent(run.accuracy); }},
      {{"vs baseline", "accuracy_difference_points"},
       [baseline](const RunRecord& run) {
         return baseline == nullptr || &run == baseline
                    ? Cell()
                    : percent(run.accuracy - baseline->accuracy);
       }},
      {{"parameters", "parameters"}, [](const RunRecord& run) { return run.parameters; }},
      {{"nonzero", "nonzero_parameters"},
       [](const RunRecord& run) { return run.nonzero_parameters; }},
      {{"MACs removed %", "multiply_adds_removed_percent"},
       [](const RunRecord& run) { return percent(run.multiply_adds_removed()); }},
      {{"file MB", "file_megabytes"},
       [](const RunRecord& run) {
         return Number{static_cast<double>(run.file_bytes) / 1e6, 2};
       }},
  };
}

Cell median(const RunRecord& run, const std::string& engine, const Timing& timing) {
  const LatencyCell* cell = find_latency(run, engine, timing);
  return cell != nullptr ? Number{cell->median, 3} : Cell();
}

Cell speed_up(const RunRecord& run, const Timing& timing) {
  const LatencyCell* dense = find_latency(run, "dense", timing);
  const LatencyCell* sparse = find_latency(run, "sparse", timing);
  if (dense == nullptr || sparse == nullptr) return {};
  return Number{dense->median / sparse->median, 2};
}

std::vector<ReportColumn> latency_columns(const Records& records) {
  std::vector<ReportColumn> columns;
  const auto add_if_any = [&](const Column& heading, std::function<Cell(const RunRecord&)> cell) {
    const auto filled = [&](const RunRecord& run) { return cell(run).index() != 0; };
    if (std::any_of(records.begin(), records.end(), filled)) columns.push_back({heading, cell});
  };
  for (const Timing& timing : timings(records)) {
    const auto [batch, threads] = timing;
    for (const std::string& engine : engines(records)) {
      add_if_any({fmt::format("{} b{} t{} ms", engine, batch, threads),
                  fmt::format("{}_b{}_t{}_ms", engine, batch, threads)},
                 [=](const RunRecord& run) { return median(run, engine, timing); });
    }
    add_if_any({fmt::format("speed-up b{} t{}", batch, threads),
                fmt::format("speedup_b{}_t{}", batch, threads)},
               [=](const RunRecord& run) { return speed_up(run, timing); });
  }
  return columns;
}

Table table_of(const Records& records, const std::vector<ReportColumn>& columns) {
  std::vector<Column> headings;
  for (const ReportColumn& column : columns) headings.push_back(column.heading);
  Table table(std::move(headings));
  for (const RunRecord& run : records) {
    std::vector<Cell> row;
    for (const ReportColumn& column : columns) row.push_back(column.cell(run));
    table.add_row(std::move(row));
  }
  return table;
}

/// Sparse minus dense, in ms per image, at a sparsity.
struct Gap {
  double sparsity, milliseconds;
};

/// The baseline and all runs of one method that have both engines' times, by ascending sparsity.
std::vector<Gap> gaps(const Records& records, const std::string& method, const Timing& timing) {
  std::vector<Gap> found;
  for (const RunRecord& run : records) {
    if (run.method != method && run.method != "none") continue;
    const LatencyCell* dense = find_latency(run, "dense", timing);
    const LatencyCell* sparse = find_latency(run, "sparse", timing);
    if (dense != nullptr && sparse != nullptr) {
      found.push_back({run.sparsity(), sparse->median - dense->median});
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

std::string best_accuracy(const Records& records) {
  const RunRecord& best = *std::max_element(
      records.begin(), records.end(),
      [](const RunRecord& a, const RunRecord& b) { return a.accuracy < b.accuracy; });
  std::string text = fmt::format("Most accurate: {} with {:.2f} % at {:.1f} % sparsity", best.id,
                                 100 * best.accuracy, 100 * best.sparsity());
  const RunRecord* baseline = find_baseline(records);
  if (baseline != nullptr && baseline != &best) {
    text += fmt::format(", {:.2f} points above the baseline",
                        100 * (best.accuracy - baseline->accuracy));
  }
  return text + ".";
}

/// Empty unless some run has both engines' times.
std::string sparse_against_dense(const Records& records, const Timing& timing) {
  std::set<std::string> methods;
  for (const RunRecord& run : records) methods.insert(run.method);
  if (methods.size() > 1) methods.erase("none");
  std::vector<std::string> answers;
  for (const std::string& method : methods) {
    const std::vector<Gap> found = gaps(records, method, timing);
    if (!found.empty()) {
      answers.push_back(
          fmt::format("{} {}", method == "none" ? "unpruned" : method, faster_from(found)));
    }
  }
  if (answers.empty()) return {};
  return fmt::format("- Sparse is faster than dense at batch {} on {} thread{}: {}.\n",
                     timing.batch, timing.threads, timing.threads == 1 ? "" : "s",
                     fmt::join(answers, "; "));
}

/// The different values of a field, in order of appearance.
std::string values(const Records& records, std::string RunRecord::*field) {
  std::vector<std::string> seen;
  for (const RunRecord& run : records) {
    const std::string& value = run.*field;
    if (!value.empty() && std::find(seen.begin(), seen.end(), value) == seen.end()) {
      seen.push_back(value);
    }
  }
  return seen.empty() ? "unknown" : fmt::format("{}", fmt::join(seen, " / "));
}

std::string machine(const Records& records) {
  std::set<int> threads;
  for (const Timing& timing : timings(records)) threads.insert(timing.threads);
  return fmt::format("Machine: {}; threads: {}; build: {}; commit: {}.",
                     values(records, &RunRecord::cpu),
                     threads.empty() ? "unknown" : fmt::format("{}", fmt::join(threads, ", ")),
                     values(records, &RunRecord::build), values(records, &RunRecord::commit));
}

}  // namespace

Table results_table(const Records& records) {
  std::vector<ReportColumn> columns = study_columns(records);
  for (ReportColumn& column : latency_columns(records)) columns.push_back(std::move(column));
  return table_of(records, columns);
}

Table latency_table(const Records& records) {
  std::vector<Column> headings = {{"batch", "batch"},
                                  {"threads", "threads"},
                                  {"run", "id", Align::left},
                                  {"sparsity %", "sparsity_percent"}};
  for (const std::string& engine : engines(records)) {
    headings.push_back({engine + " ms", engine + "_ms"});
  }
  headings.push_back({"speed-up", "speedup"});
  Table table(std::move(headings));
  for (const Timing& timing : timings(records)) {
    for (const RunRecord& run : records) {
      std::vector<Cell> row = {timing.batch, timing.threads, run.id, percent(run.sparsity())};
      for (const std::string& engine : engines(records)) {
        row.push_back(median(run, engine, timing));
      }
      row.push_back(speed_up(run, timing));
      table.add_row(std::move(row));
    }
  }
  return table;
}

std::string report_markdown(const Records& records) {
  std::string text = "# Pruning study\n\n";
  if (records.empty()) return text + "No run has finished yet.\n";
  text += machine(records) + "\n\n- " + best_accuracy(records) + "\n";
  for (const Timing& timing : timings(records)) text += sparse_against_dense(records, timing);
  text +=
      "\n## Accuracy and size\n\n" + table_of(records, study_columns(records)).render(Format::md);
  text +=
      "\nSparsity counts all parameters, MACs are multiply-adds an image, \"vs baseline\" is in "
      "percentage points.\n";
  if (timings(records).empty()) return text;
  text += "\n## Latency\n\nMedian milliseconds per image; speed-up of sparse over dense.\n\n";
  return text + latency_table(records).render(Format::md);
}

}  // namespace edgeprune
