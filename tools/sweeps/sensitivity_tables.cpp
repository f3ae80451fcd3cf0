#include "tools/sweeps/sensitivity_tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tools/measurement/latency_table.h"

namespace edgeprune {
namespace {

std::string percent(double level) {
  return fmt::format("{:g} %", 100 * level);
}

/// Empty where there is nothing.
Cell number(double value, int precision) {
  return std::isfinite(value) ? Cell(Number{value, precision}) : Cell();
}

const char* parts(const Sensitivity& sensitivity) {
  return is_structured(sensitivity.options.method) ? "channels" : "weights";
}

}  // namespace

Table sensitivity_table(const Sensitivity& sensitivity) {
  std::vector<Column> columns = {{"layer", "layer", Align::left}, {"weights", "weights"}};
  const std::vector<double>& levels = sensitivity.options.levels;
  for (const double level : levels) {
    columns.push_back({fmt::format("points lost at {}", percent(level)), ""});
  }
  columns.push_back({"dense µs", ""});
  for (const double level : levels) {
    columns.push_back({fmt::format("sparse × at {}", percent(level)), ""});
  }
  Table table(columns);
  for (size_t i = 0; i < sensitivity.layers.size(); ++i) {
    const LayerSensitivity& layer = sensitivity.layers[i];
    std::vector<Cell> row = {layer.layer, layer.weights};
    for (size_t l = 0; l < levels.size(); ++l) row.push_back(number(sensitivity.lost(i, l), 1));
    row.push_back(number(1e3 * layer.cells.front().dense_ms, 1));
    for (const SensitivityCell& cell : layer.cells) {
      row.push_back(number(cell.dense_ms / cell.sparse_ms, 2));
    }
    table.add_row(std::move(row));
  }
  return table;
}

Table sensitivity_records(const Sensitivity& sensitivity, const std::string& model,
                          const Machine& machine) {
  std::vector<Column> columns = {{"model", "model", Align::left},
                                 {"method", "method", Align::left},
                                 {"layer", "layer", Align::left},
                                 {"weights", "weights"},
                                 {"level %", "level_percent"},
                                 {"zeros %", "zeros_percent"},
                                 {"accuracy %", "accuracy_percent"},
                                 {"unpruned accuracy %", "unpruned_accuracy_percent"},
                                 {"points lost", "points_lost"},
                                 {"training images", "training_images"},
                                 {"batch-norm images", "bn_recalibrate"},
                                 {"dense ms/image", "dense_ms"},
                                 {"sparse ms/image", "sparse_ms"}};
  for (const Column& column : machine_columns()) columns.push_back(column);
  Table table(columns);
  const SensitivityOptions& options = sensitivity.options;
  for (size_t i = 0; i < sensitivity.layers.size(); ++i) {
    const LayerSensitivity& layer = sensitivity.layers[i];
    for (size_t l = 0; l < options.levels.size(); ++l) {
      const SensitivityCell& cell = layer.cells[l];
      std::vector<Cell> row = {model,
                               to_string(options.method),
                               layer.layer,
                               layer.weights,
                               Number{100 * options.levels[l], 2},
                               Number{100 * cell.zeros, 2},
                               number(100 * cell.accuracy, 2),
                               Number{100 * sensitivity.accuracy, 2},
                               number(sensitivity.lost(i, l), 2),
                               options.images,
                               options.bn_recalibrate,
                               Number{cell.dense_ms, 5},
                               Number{cell.sparse_ms, 5}};
      for (Cell& about : machine_cells(machine)) row.push_back(std::move(about));
      table.add_row(std::move(row));
    }
  }
  return table;
}

HeatMap sensitivity_heat_map(const Sensitivity& sensitivity) {
  const SensitivityOptions& options = sensitivity.options;
  HeatMap map;
  map.shade = Shade::points;
  map.title = "Points of accuracy lost when one layer alone is pruned";
  map.subtitle = fmt::format(
      "{:.1f} % unpruned, on {} training images; batch norm {}, no fine-tuning",
      100 * sensitivity.accuracy, options.images,
      options.bn_recalibrate > 0 ? fmt::format("recalibrated on {}", options.bn_recalibrate)
                                 : "as it was");
  map.x_label = fmt::format("the layer's {} of smallest magnitude zeroed", parts(sensitivity));
  map.remark_heading = "weights";
  for (const double level : options.levels) map.columns.push_back(percent(level));
  for (size_t i = 0; i < sensitivity.layers.size(); ++i) {
    HeatMap::Row& row = map.rows.emplace_back();
    row.name = sensitivity.layers[i].layer;
    row.remark = fmt::format("{}", sensitivity.layers[i].weights);
    for (size_t l = 0; l < options.levels.size(); ++l) {
      row.ratios.push_back(sensitivity.lost(i, l));
    }
  }
  return map;
}

std::vector<std::string> most_sensitive(const Sensitivity& sensitivity, size_t count) {
  const size_t highest = sensitivity.options.levels.size() - 1;
  std::vector<size_t> order(sensitivity.layers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t i) { return !(sensitivity.lost(i, highest) > 0); });
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return sensitivity.lost(a, highest) > sensitivity.lost(b, highest);
  });
  order.resize(std::min(order.size(), count));
  std::vector<std::string> names;
  for (const size_t i : order) names.push_back(sensitivity.layers[i].layer);
  return names;
}

}  // namespace edgeprune
