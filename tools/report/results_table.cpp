#include "tools/report/results_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tools/report/original_results.h"
#include "tools/report/query.h"
#include "tools/report/speed.h"
#include "tools/report/wording.h"

namespace edgeprune {
namespace {

using Value = std::function<Cell(const RunRecord&)>;

struct RowColumn {
  Column heading;
  Value cell;
};
using Columns = std::vector<RowColumn>;

Cell percent(double fraction, int precision = 2) {
  return Number{100 * fraction, precision};
}

RowColumn name_column() {
  return {{"row", "id", Align::left}, [](const RunRecord& row) { return row.id; }};
}

/// What pruning left alone; no column if nothing ever was.
Columns limits_columns(const Results& results) {
  const auto limited = [](const RunRecord& row) { return !row.limits.empty(); };
  if (std::ranges::none_of(results.rows(), limited)) return {};
  return {{{"limits", "limits", Align::left}, [](const RunRecord& row) { return row.limits; }}};
}

/// In what numbers the network is; no column if all are floats.
Columns quantization_columns(const Results& results) {
  if (!results.has_quantized()) return {};
  return {{{"numbers", "quantization", Align::left}, [](const RunRecord& row) {
             return row.is_quantized() ? "int8, " + row.quantization : "float32";
           }}};
}

RowColumn sparsity_column() {
  return {{"sparsity %", "sparsity_percent"},
          [](const RunRecord& row) { return percent(row.sparsity()); }};
}

/// Of the original study's row, if there is one.
RowColumn original_column(const Column& heading,
                          std::function<std::optional<OriginalFigure>(const OriginalRow&)> figure) {
  return {heading, [figure = std::move(figure)](const RunRecord& row) -> Cell {
            const OriginalRow* original = find_original_row(row);
            const auto found = original != nullptr ? figure(*original) : std::nullopt;
            return found ? Cell(found->to_string()) : Cell();
          }};
}

// Keys in JSON are for programs, and keep the name that the original study had here at first.
RowColumn original_sparsity() {
  return original_column({"original: sparsity %", "document_sparsity_percent"},
                         [](const OriginalRow& row) { return row.sparsity; });
}
RowColumn original_accuracy() {
  return original_column({"original: accuracy %", "document_accuracy_percent"},
                         [](const OriginalRow& row) { return row.accuracy; });
}
RowColumn original_latency() {
  return original_column({"original: ms", "document_ms"},
                         [](const OriginalRow& row) { return row.latency; });
}

/// Empty for the baseline itself.
Value against_baseline(const Results& results,
                       std::function<Cell(const RunRecord&, const RunRecord&)> cell) {
  const RunRecord* baseline = results.baseline();
  return [=](const RunRecord& row) {
    return baseline == nullptr || &row == baseline ? Cell() : cell(row, *baseline);
  };
}

Columns accuracy_columns(const Results& results) {
  Columns columns = {{{"before fine-tuning %", "accuracy_before_percent"},
                      [](const RunRecord& row) {
                        return row.method == "none" ? Cell() : percent(row.accuracy_before);
                      }},
                     {{"accuracy %", "accuracy_percent"},
                      [](const RunRecord& row) { return percent(row.accuracy); }}};
  const auto& rows = results.rows();
  if (std::ranges::any_of(rows, [](auto& row) { return row.worst_class.has_value(); })) {
    columns.push_back({{"least recall %", "worst_recall_percent"}, [](const RunRecord& row) {
                         return row.worst_class ? percent(row.worst_class->recall) : Cell();
                       }});
    columns.push_back({{"of class", "worst_class", Align::left}, [](const RunRecord& row) {
                         return row.worst_class ? Cell(row.worst_class->name) : Cell();
                       }});
  }
  if (results.has_seeds()) {
    const auto of = [&results](const RunRecord& row) { return results.accuracy(row); };
    columns.push_back({{"lowest seed %", "accuracy_low_percent"},
                       [=](const RunRecord& row) { return percent(of(row).low); }});
    columns.push_back({{"highest seed %", "accuracy_high_percent"},
                       [=](const RunRecord& row) { return percent(of(row).high); }});
    columns.push_back({{"seeds", "seeds"},
                       [=](const RunRecord& row) { return static_cast<int64_t>(of(row).seeds); }});
  }
  return columns;
}

RowColumn difference_column(const Results& results) {
  return {{"vs baseline", "accuracy_difference_points"},
          against_baseline(results, [](const RunRecord& row, const RunRecord& baseline) {
            return percent(row.accuracy - baseline.accuracy);
          })};
}

Cell median(const RunRecord& row, const std::string& engine, const Timing& timing) {
  const LatencyCell* cell = find_latency(row, engine, timing);
  return cell != nullptr ? Number{cell->median, 3} : Cell();
}

Cell cpu_cell(const LatencyCell* cell) {
  return cell != nullptr && cell->cpu_ms ? Cell(Number{*cell->cpu_ms, 3}) : Cell();
}

Cell energy_cell(const LatencyCell* cell) {
  return cell != nullptr && cell->joules ? Cell(Number{1e3 * *cell->joules, 2}) : Cell();
}

Cell speed_up(const RunRecord& row, const Timing& timing) {
  const LatencyCell* dense = find_latency(row, "dense", timing);
  const LatencyCell* sparse = find_latency(row, "sparse", timing);
  if (dense == nullptr || sparse == nullptr || trusted_factor(row, *dense) == nullptr) return {};
  return Number{sparse->factor->median / dense->factor->median, 2};
}

struct FactorColumn {
  const char *name, *key;
  double Interval::*end;
  std::optional<Factor> LatencyCell::*factor = &LatencyCell::factor;
};
constexpr FactorColumn kFactorColumns[] = {{"× unpruned", "factor", &Interval::median},
                                           {"from", "factor_low", &Interval::low},
                                           {"to", "factor_high", &Interval::high}};
constexpr FactorColumn kIntegerFactorColumns[] = {
    {"× unpruned INT8", "integer_factor", &Interval::median, &LatencyCell::integer_factor},
    {"from", "integer_factor_low", &Interval::low, &LatencyCell::integer_factor},
    {"to", "integer_factor_high", &Interval::high, &LatencyCell::integer_factor}};

/// One end of an engine's factor; empty if it is in doubt.
Cell factor_cell(const RunRecord& row, const LatencyCell* cell, const FactorColumn& column) {
  if (cell == nullptr || trusted_factor(row, *cell) == nullptr) return {};
  const auto& factor = cell->*column.factor;
  return factor ? Cell(Number{(*factor).*column.end, 2}) : Cell();
}

Columns latency_columns(const Results& results) {
  Columns columns;
  const auto& rows = results.rows();
  const auto add_if_any = [&](const Column& heading, Value cell) {
    const auto filled = [&](const RunRecord& row) { return cell(row).index() != 0; };
    if (std::any_of(rows.begin(), rows.end(), filled)) columns.push_back({heading, cell});
  };
  for (const Timing& timing : timings(rows)) {
    const auto [batch, threads] = timing;
    for (const std::string& engine : engines(rows)) {
      add_if_any({fmt::format("{} b{} t{} ms", engine, batch, threads),
                  fmt::format("{}_b{}_t{}_ms", engine, batch, threads)},
                 [=](const RunRecord& row) { return median(row, engine, timing); });
      const auto add_factors = [&](const auto& all) {
        for (const FactorColumn& one : all) {
          add_if_any({fmt::format("{} b{} t{} {}", engine, batch, threads, one.name),
                      fmt::format("{}_b{}_t{}_{}", engine, batch, threads, one.key)},
                     [=](const RunRecord& row) {
                       return factor_cell(row, find_latency(row, engine, timing), one);
                     });
        }
      };
      add_factors(kFactorColumns);
      add_factors(kIntegerFactorColumns);
      add_if_any({fmt::format("{} b{} t{} CPU ms", engine, batch, threads),
                  fmt::format("{}_b{}_t{}_cpu_ms", engine, batch, threads)},
                 [=](const RunRecord& row) { return cpu_cell(find_latency(row, engine, timing)); });
      add_if_any(
          {fmt::format("{} b{} t{} mJ", engine, batch, threads),
           fmt::format("{}_b{}_t{}_millijoules", engine, batch, threads)},
          [=](const RunRecord& row) { return energy_cell(find_latency(row, engine, timing)); });
    }
    add_if_any({fmt::format("remark b{} t{}", batch, threads),
                fmt::format("remark_b{}_t{}", batch, threads), Align::left},
               [=](const RunRecord& row) {
                 const std::string remark = doubt(row, timing);
                 return remark.empty() ? Cell() : Cell(remark);
               });
    add_if_any({fmt::format("speed-up b{} t{}", batch, threads),
                fmt::format("speedup_b{}_t{}", batch, threads)},
               [=](const RunRecord& row) { return speed_up(row, timing); });
  }
  return columns;
}

Columns size_columns() {
  return {{{"of prunable %", "prunable_sparsity_percent"},
           [](const RunRecord& row) { return percent(row.prunable_sparsity()); }},
          {{"nonzero", "nonzero_parameters"},
           [](const RunRecord& row) { return row.nonzero_parameters; }},
          {{"parameters", "parameters"}, [](const RunRecord& row) { return row.parameters; }},
          {{"stored parameters", "stored_parameters"},
           [](const RunRecord& row) { return row.stored_parameters; }},
          {{"MACs removed %", "multiply_adds_removed_percent"},
           [](const RunRecord& row) { return percent(row.multiply_adds_removed()); }},
          {{"file MB", "file_megabytes"},
           [](const RunRecord& row) { return megabytes(row.file_bytes); }},
          {{"stored sparse MB", "sparse_file_megabytes"},
           [](const RunRecord& row) { return megabytes(row.sparse_file_bytes); }},
          {{"epochs behind the baseline", "epochs_spent"},
           [](const RunRecord& row) { return row.epochs_spent; }},
          {{"minutes", "minutes_spent"}, [](const RunRecord& row) {
             return Number{row.seconds_spent / 60, 1};
           }}};
}

void append(Columns& columns, Columns more) {
  for (RowColumn& column : more) columns.push_back(std::move(column));
}

Table table_of(const std::vector<RunRecord>& rows, const Columns& columns) {
  std::vector<Column> headings;
  for (const RowColumn& column : columns) headings.push_back(column.heading);
  Table table(std::move(headings));
  for (const RunRecord& row : rows) {
    std::vector<Cell> cells;
    for (const RowColumn& column : columns) cells.push_back(column.cell(row));
    table.add_row(std::move(cells));
  }
  return table;
}

}  // namespace

Table results_table(const Results& results) {
  Columns columns = {
      name_column(),
      {{"method", "method", Align::left}, [](const RunRecord& row) { return row.method; }},
      {{"mode", "mode", Align::left}, [](const RunRecord& row) { return row.mode; }},
      {{"schedule", "schedule", Align::left}, [](const RunRecord& row) { return row.schedule; }},
      {{"recovery", "recovery", Align::left}, [](const RunRecord& row) { return row.recovery; }}};
  append(columns, quantization_columns(results));
  append(columns, limits_columns(results));
  append(columns,
         {{{"asked %", "target_percent"}, [](const RunRecord& row) { return percent(row.target); }},
          sparsity_column()});
  append(columns, accuracy_columns(results));
  columns.push_back(difference_column(results));
  columns.push_back({{"p", "p_value"},
                     against_baseline(results, [&](const RunRecord& row, const RunRecord& base) {
                       const auto p = results.compare(row, base).p;
                       return p ? Cell(Number{*p, 6}) : Cell();
                     })});
  append(columns, size_columns());
  if (results.follows_original()) {
    append(columns, {original_sparsity(), original_accuracy(), original_latency()});
  }
  append(columns, latency_columns(results));
  return table_of(results.rows(), columns);
}

Table comparison_table(const Results& results) {
  Columns columns = {name_column()};
  append(columns, limits_columns(results));
  append(columns, {{{"asked %", "target_percent"},
                    [](const RunRecord& row) {
                      return row.method == "none" ? Cell() : percent(row.target, 0);
                    }},
                   sparsity_column()});
  const bool original = results.follows_original();
  if (original) columns.push_back(original_sparsity());
  append(columns, accuracy_columns(results));
  if (original) columns.push_back(original_accuracy());
  columns.push_back(difference_column(results));
  columns.push_back({{"p", "p_value"},
                     against_baseline(results, [&](const RunRecord& row, const RunRecord& base) {
                       const auto p = results.compare(row, base).p;
                       if (!p) return Cell();
                       return Cell(*p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", *p));
                     })});
  const std::vector<Timing> timed = main_timings(results.rows());
  if (!timed.empty()) {
    const Timing timing = timed.back();  // the original study timed batches
    columns.push_back({{"dense ms", "dense_ms"},
                       [=](const RunRecord& row) { return median(row, "dense", timing); }});
    columns.push_back(
        {{"fastest", "fastest_engine", Align::left}, [=, &results](const RunRecord& row) {
           const auto best = fastest_engine(results, row, timing);
           return Cell(best ? best->engine : doubt(row, timing));
         }});
    columns.push_back({{"times as fast as unpruned", "fastest_factor", Align::left},
                       [=, &results](const RunRecord& row) {
                         const auto best = fastest_engine(results, row, timing);
                         if (!best) return Cell();
                         return Cell(fmt::format("{:.2f} ({:.2f} to {:.2f})", best->factor.median,
                                                 best->factor.low, best->factor.high));
                       }});
    if (original) columns.push_back(original_latency());
  }
  return table_of(results.rows(), columns);
}

Table size_table(const Results& results) {
  Columns columns = {name_column(), sparsity_column()};
  append(columns, size_columns());
  return table_of(results.rows(), columns);
}

Table latency_table(const std::vector<const RunRecord*>& rows) {
  std::vector<Column> headings = {{"batch", "batch"},
                                  {"threads", "threads"},
                                  {"row", "id", Align::left},
                                  {"sparsity %", "sparsity_percent"},
                                  {"engine", "engine", Align::left},
                                  {"median ms", "median_ms"},
                                  {"p90", "p90_ms"},
                                  {"p99", "p99_ms"}};
  for (const FactorColumn& one : kFactorColumns) headings.push_back({one.name, one.key});
  const bool cpu_known = std::ranges::any_of(rows, [](const RunRecord* row) {
    return std::ranges::any_of(row->latency, [](const auto& cell) { return bool(cell.cpu_ms); });
  });
  if (cpu_known) headings.push_back({"CPU ms", "cpu_ms"});
  headings.push_back({"remark", "remark", Align::left});
  Table table(std::move(headings));
  std::vector<RunRecord> records;
  for (const RunRecord* row : rows) records.push_back(*row);
  for (const Timing& timing : timings(records)) {
    for (const RunRecord& row : records) {
      for (const std::string& engine : engines(records)) {
        const LatencyCell* cell = find_latency(row, engine, timing);
        if (cell == nullptr) continue;
        std::vector<Cell> cells = {timing.batch,
                                   timing.threads,
                                   row.id,
                                   percent(row.sparsity()),
                                   engine,
                                   Number{cell->median, 3},
                                   Number{cell->p90, 3},
                                   Number{cell->p99, 3}};
        for (const FactorColumn& one : kFactorColumns) {
          cells.push_back(factor_cell(row, cell, one));
        }
        if (cpu_known) cells.push_back(cpu_cell(cell));
        cells.emplace_back(doubt(row, timing));
        table.add_row(std::move(cells));
      }
    }
  }
  return table;
}

Table latency_table(const Results& results) {
  std::vector<const RunRecord*> rows;
  for (const RunRecord& row : results.rows()) rows.push_back(&row);
  return latency_table(rows);
}

}  // namespace edgeprune
