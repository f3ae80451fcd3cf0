#include "tools/sweeps/breakeven_tables.h"

#include <fmt/format.h>

#include "engine/base/json.h"
#include "tools/measurement/latency_table.h"
#include "tools/measurement/pinning.h"

namespace edgeprune {
namespace {

std::vector<std::string> names_in(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const inference::Engine engine : sweep.engines) names.push_back(to_string(engine));
  return names;
}

}  // namespace

Table end_to_end_table(const Sweep& sweep) {
  const std::vector<std::string> names = names_in(sweep);
  std::vector<Column> columns = {{"zeros %", "level_percent"},
                                 {names[0] + " ms/image", names[0] + "_ms"}};
  for (size_t e = 1; e < names.size(); ++e) {
    columns.push_back({names[e] + " ms/image", names[e] + "_ms"});
    columns.push_back({"speed-up", names[e] + "_speedup"});
    columns.push_back({"from", names[e] + "_speedup_low"});
    columns.push_back({"to", names[e] + "_speedup_high"});
  }
  Table table(columns);
  for (size_t i = 0; i < sweep.levels.size(); ++i) {
    std::vector<Cell> row = {Number{100 * sweep.levels[i].level, 1},
                             Number{sweep.results[i][0].cell.median, 4}};
    for (size_t e = 1; e < names.size(); ++e) {
      row.push_back(Number{sweep.results[i][e].cell.median, 4});
      const Factor factor = sweep.factor(i, e);
      for (const double end : {factor.median, factor.low, factor.high})
        row.push_back(Number{end, 2});
    }
    table.add_row(std::move(row));
  }
  return table;
}

Table break_even_table(const Sweep& sweep) {
  const std::vector<std::string> names = names_in(sweep);
  const size_t last = sweep.levels.size() - 1;
  std::vector<Column> columns = {{"layer", "layer", Align::left}, {"shape", "shape", Align::left}};
  for (size_t e = 1; e < names.size(); ++e) {
    columns.push_back({names[e] + " breaks even at", names[e] + "_breakeven"});
  }
  columns.push_back(
      {fmt::format("zeros % at {:g} %", 100 * sweep.levels[last].level), "zeros_percent"});
  for (size_t e = 1; e < names.size(); ++e) {
    columns.push_back({names[e] + " speed-up there", names[e] + "_speedup"});
  }
  Table table(columns);
  std::vector<Cell> network = {"network", ""};
  for (size_t e = 1; e < names.size(); ++e) {
    network.push_back(to_string(sweep.network_break_even(e)));
  }
  network.push_back(Number{100 * sweep.levels[last].level, 1});
  for (size_t e = 1; e < names.size(); ++e) network.push_back(Number{sweep.speedup(last, e), 2});
  table.add_row(std::move(network));
  for (const LayerCurve& curve : sweep.curves) {
    std::vector<Cell> row = {curve.name, curve.shape};
    for (size_t e = 1; e < names.size(); ++e) row.push_back(to_string(curve.break_even(e)));
    row.push_back(Number{100 * curve.sparsity[last], 1});
    for (size_t e = 1; e < names.size(); ++e) row.push_back(Number{curve.speedup(last, e), 2});
    table.add_row(std::move(row));
  }
  return table;
}

Table breakeven_records(const std::vector<Sweep>& sweeps, const std::string& model,
                        const Machine& machine) {
  std::vector<Column> columns = {{"model", "model", Align::left},
                                 {"scenario", "scenario", Align::left},
                                 {"batch", "batch"},
                                 {"threads", "threads"},
                                 {"level %", "level_percent"},
                                 {"engine", "engine", Align::left},
                                 {"layer", "layer", Align::left},
                                 {"kernel", "kernel", Align::left},
                                 {"zeros %", "zeros_percent"},
                                 {"median ms/image", "median_ms"},
                                 {"speed-up", "speedup"},
                                 {"from", "speedup_low"},
                                 {"to", "speedup_high"},
                                 {"break-even", "breakeven"},
                                 {"n", "samples"},
                                 {"pin", "pin", Align::left}};
  for (const Column& column : machine_columns()) columns.push_back(column);
  Table table(columns);
  for (const Sweep& sweep : sweeps) {
    const std::vector<std::string> names = names_in(sweep);
    for (size_t i = 0; i < sweep.levels.size(); ++i) {
      for (size_t e = 0; e < names.size(); ++e) {
        const auto add = [&](const std::string& layer, const std::string& kernel, double sparsity,
                             double ms, const Interval& factor, const BreakEvenRange& at) {
          std::vector<Cell> row = {model,
                                   scenario(sweep.batch),
                                   int64_t{sweep.batch},
                                   int64_t{sweep.threads},
                                   Number{100 * sweep.levels[i].level, 1},
                                   names[e],
                                   layer,
                                   kernel,
                                   Number{100 * sparsity, 2},
                                   Number{ms, 5},
                                   Number{factor.median, 3},
                                   Number{factor.low, 3},
                                   Number{factor.high, 3},
                                   e == 0 ? Cell() : to_string(at),
                                   sweep.results[i][e].cell.samples,
                                   pinned_cores(sweep.threads)};
          for (Cell& about : machine_cells(machine)) row.push_back(std::move(about));
          table.add_row(std::move(row));
        };
        add("network", "", sweep.levels[i].level, sweep.results[i][e].cell.median,
            sweep.factor(i, e), sweep.network_break_even(e));
        for (const LayerCurve& curve : sweep.curves) {
          add(curve.name, curve.time[i][e].kernel, curve.sparsity[i], curve.time[i][e].ms,
              curve.factor[i][e], curve.break_even(e));
        }
      }
    }
  }
  return table;
}

std::string json_lines(const Table& table) {
  std::string text;
  for (const auto& row : nlohmann::ordered_json::parse(table.render(Format::json))) {
    text += row.dump() + '\n';
  }
  return text;
}

}  // namespace edgeprune
