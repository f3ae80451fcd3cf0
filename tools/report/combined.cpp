#include "tools/report/combined.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "engine/inference/engine.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

/// The rows in integers, each behind the row that it was made from.
std::vector<const RunRecord*> combined_rows(const Results& results) {
  std::vector<const RunRecord*> rows;
  for (const RunRecord& row : results.rows()) {
    if (row.is_quantized()) continue;
    const size_t before = rows.size();
    rows.push_back(&row);
    for (const RunRecord& other : results.rows()) {
      if (results.in_floats(other) == &row) rows.push_back(&other);
    }
    if (rows.size() == before + 1) rows.pop_back();
  }
  return rows;
}

const LatencyCell* fastest_cell(const Results& results, const RunRecord& row,
                                const Timing& timing) {
  const auto fastest = fastest_engine(results, row, timing);
  return fastest ? find_latency(row, fastest->engine, timing) : nullptr;
}

/// What the unpruned network on the engine int8 is compared with: the fastest of the engines in integers alone. auto would
/// bring kernels to one side that the other could have, too.
const LatencyCell* fastest_in_integers(const Results& results, const RunRecord& row,
                                       const Timing& timing) {
  const LatencyCell* best = nullptr;
  if (!row.is_quantized() || fastest_cell(results, row, timing) == nullptr) return best;
  for (const LatencyCell& cell : row.latency) {
    const bool alone = cell.engine != to_string(inference::Engine::automatic);
    if (!alone || !cell.integer_factor || find_latency(row, cell.engine, timing) != &cell) continue;
    if (best == nullptr || cell.integer_factor->median > best->integer_factor->median) best = &cell;
  }
  return best;
}

bool knows_energy(const Results& results) {
  return std::ranges::any_of(results.rows(), [](const RunRecord& row) {
    return std::ranges::any_of(row.latency, [](const auto& cell) { return bool(cell.joules); });
  });
}

/// "lamp-one-shot-80-int8 3.01 times (2.95 to 3.07), -0.20 points"
std::string found(const Results& results, const RunRecord& row, const Factor& factor) {
  return fmt::format("{} {}, {}", row.id, factor_text(factor),
                     points_text(row.accuracy - results.baseline()->accuracy));
}

std::string sentence(const Results& results, const Timing& timing) {
  std::string alone;
  std::vector<std::string> pay, do_not;
  for (const RunRecord* row : combined_rows(results)) {
    const LatencyCell* cell = row->is_quantized() ? fastest_cell(results, *row, timing) : nullptr;
    if (cell == nullptr) continue;
    if (row->method == "none") {
      if (alone.empty()) alone = found(results, *row, *cell->factor);
    } else if (const auto* integers = fastest_in_integers(results, *row, timing)) {
      auto& list = integers->integer_factor->low >= kFaster ? pay : do_not;
      list.push_back(fmt::format("{}, and on {} {} as fast as the unpruned on int8",
                                 found(results, *row, *cell->factor), integers->engine,
                                 factor_text(*integers->integer_factor)));
    }
  }
  if (alone.empty() && pay.empty() && do_not.empty()) return {};
  std::string text = fmt::format(
      "{}, times as fast as the unpruned network in floats on dense kernels, and points of "
      "accuracy "
      "against it: {}.",
      capitalised(timing_text(timing)), alone.empty() ? "integers alone are not known" : alone);
  if (!pay.empty()) text += fmt::format(" Pruning on top pays: {}.", fmt::join(pay, "; "));
  if (!do_not.empty()) {
    text += fmt::format(" Pruning on top does not make it {:.0f} % faster: {}.",
                        100 * (kFaster - 1), fmt::join(do_not, "; "));
  }
  return text;
}

}  // namespace

Table combined_table(const Results& results) {
  const bool energy = knows_energy(results);
  std::vector<Column> columns = {{"batch", "batch"},
                                 {"threads", "threads"},
                                 {"row", "id", Align::left},
                                 {"sparsity %", "sparsity_percent"},
                                 {"accuracy %", "accuracy_percent"},
                                 {"vs baseline", "accuracy_difference_points"},
                                 {"file MB", "file_megabytes"},
                                 {"stored sparse MB", "sparse_file_megabytes"},
                                 {"fastest", "fastest_engine", Align::left},
                                 {"ms", "ms"},
                                 {"× unpruned float", "factor", Align::left},
                                 {"× unpruned INT8", "integer_factor", Align::left},
                                 {"CPU ms", "cpu_ms"}};
  if (energy) columns.push_back({"mJ", "millijoules"});
  Table table(std::move(columns));
  const auto factor_cell = [](const std::optional<Factor>& factor) {
    if (!factor) return Cell();
    return Cell(
        fmt::format("{:.2f} ({:.2f} to {:.2f})", factor->median, factor->low, factor->high));
  };
  const RunRecord* baseline = results.baseline();
  for (const Timing& timing : main_timings(results.rows())) {
    for (const RunRecord* row : combined_rows(results)) {
      const LatencyCell* cell = fastest_cell(results, *row, timing);
      const LatencyCell* integers = fastest_in_integers(results, *row, timing);
      std::vector<Cell> cells = {
          timing.batch,
          timing.threads,
          row->id,
          Number{100 * row->sparsity(), 1},
          Number{100 * row->accuracy, 2},
          baseline == nullptr || row == baseline
              ? Cell()
              : Number{100 * (row->accuracy - baseline->accuracy), 2},
          megabytes(row->file_bytes),
          megabytes(row->sparse_file_bytes),
          cell != nullptr ? cell->engine : doubt(*row, timing),
          cell != nullptr ? Cell(Number{paced(results, *cell, *cell->factor).median, 3}) : Cell(),
          cell != nullptr ? factor_cell(cell->factor) : Cell(),
          integers != nullptr ? factor_cell(integers->integer_factor) : Cell(),
          cell != nullptr && cell->cpu_ms ? Cell(Number{*cell->cpu_ms, 3}) : Cell()};
      if (energy) {
        const bool known = cell != nullptr && cell->joules;
        cells.push_back(known ? Cell(Number{1e3 * *cell->joules, 2}) : Cell());
      }
      table.add_row(std::move(cells));
    }
  }
  return table;
}

std::vector<std::string> combined_sentences(const Results& results) {
  std::vector<std::string> sentences;
  if (results.baseline() == nullptr) return sentences;
  for (const Timing& timing : main_timings(results.rows())) {
    std::string text = sentence(results, timing);
    if (!text.empty()) sentences.push_back(std::move(text));
  }
  return sentences;
}

std::string energy_sentence(const Results& results) {
  if (knows_energy(results)) {
    return "Energy is what the counters of the processors' packages (RAPL) counted during a row's "
           "turns, whoever worked on them.";
  }
  return "What energy an image takes is not known: this machine's counters (RAPL, in "
         "/sys/class/powercap) cannot be read. CPU time, of all threads together, stands in its "
         "place.";
}

}  // namespace edgeprune
