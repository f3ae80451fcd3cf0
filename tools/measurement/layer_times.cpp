#include "tools/measurement/layer_times.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "tools/measurement/pinning.h"

namespace edgeprune {
namespace {

constexpr size_t kFurthest = 3;
constexpr const char* kAllLayers = "all layers";

/// Limits by thread count, which no layer exceeds.
std::map<int, Limits> limits_of(const std::vector<ModelLatency>& latencies) {
  std::map<int, Limits> limits;
  for (const ModelLatency& latency : latencies) {
    const int threads = latency.result.cell.threads;
    for (const LayerTime& time : layer_times(latency.result.steps)) raise_limits(time, threads);
  }
  for (const ModelLatency& latency : latencies) {
    const int threads = latency.result.cell.threads;
    if (!limits.contains(threads)) limits[threads] = best_limits(threads);
  }
  return limits;
}

LayerTime sum(const std::vector<LayerTime>& times) {
  LayerTime all{.layer = kAllLayers, .kernel = ""};
  for (const LayerTime& time : times) {
    all.ms += time.ms;
    all.flops += time.flops;
    all.kernel_flops += time.kernel_flops;
    all.bytes += time.bytes;
  }
  return all;
}

/// The layers' limits one after the other.
LayerLimit sum_of_limits(const std::vector<LayerTime>& times, const Limits& limits) {
  LayerLimit all;
  for (const LayerTime& time : times) all.ms += limit_of(time, limits).ms;
  return all;
}

Cell gflops(const LayerTime& time, int precision) {
  if (time.kernel_flops == 0 || time.ms == 0) return {};
  return Number{1e-6 * time.kernel_flops / time.ms, precision};
}

Cell percent_of_limit(const LayerTime& time, const LayerLimit& limit) {
  if (limit.ms == 0 || time.ms == 0) return {};
  return Number{100 * limit.ms / time.ms, 0};
}

/// The latencies of one model, batch and thread count: an engine each.
using Group = std::vector<const ModelLatency*>;

std::vector<Group> groups(const std::vector<ModelLatency>& latencies) {
  std::vector<Group> all;
  for (const ModelLatency& latency : latencies) {
    const LatencyCell& cell = latency.result.cell;
    const auto same = std::find_if(all.begin(), all.end(), [&](const Group& group) {
      const LatencyCell& other = group.front()->result.cell;
      return group.front()->model == latency.model && other.batch == cell.batch &&
             other.threads == cell.threads;
    });
    if (same == all.end()) {
      all.push_back({&latency});
    } else {
      same->push_back(&latency);
    }
  }
  return all;
}

std::string engine_of(const ModelLatency& latency) {
  return latency.result.cell.engine;
}

void add_engine_cells(std::vector<Cell>& row, const LayerTime& time, const LayerLimit& limit) {
  row.insert(row.end(), {Number{1e3 * time.ms, 1}, gflops(time, 0), percent_of_limit(time, limit),
                         time.kernel});
}

Table side_by_side(const Group& group, const Limits& limits) {
  std::vector<Column> columns = {{"layer", "layer", Align::left}};
  std::vector<std::string> names;
  std::vector<std::vector<LayerTime>> engines;
  for (const ModelLatency* latency : group) {
    for (const char* what : {" µs", " GFLOP/s", " of limit %"}) {
      columns.push_back({engine_of(*latency) + what, ""});
    }
    columns.push_back({engine_of(*latency) + " kernel", "", Align::left});
    engines.push_back(layer_times(latency->result.steps));
    for (const LayerTime& time : engines.back()) {
      if (std::find(names.begin(), names.end(), time.layer) == names.end()) {
        names.push_back(time.layer);
      }
    }
  }
  Table table(columns);
  for (const std::string& name : names) {
    std::vector<Cell> row = {name};
    for (const auto& times : engines) {
      const auto time = std::find_if(times.begin(), times.end(),
                                     [&](const LayerTime& t) { return t.layer == name; });
      if (time == times.end()) {
        row.insert(row.end(), 4, Cell());
      } else {
        add_engine_cells(row, *time, limit_of(*time, limits));
      }
    }
    table.add_row(std::move(row));
  }
  std::vector<Cell> all = {kAllLayers}, whole_run = {"whole run"};
  for (size_t e = 0; e < group.size(); ++e) {
    add_engine_cells(all, sum(engines[e]), sum_of_limits(engines[e], limits));
    LayerTime whole = sum(engines[e]);
    whole.ms = group[e]->result.cell.median;
    add_engine_cells(whole_run, whole, sum_of_limits(engines[e], limits));
  }
  table.add_row(std::move(all));
  table.add_row(std::move(whole_run));
  return table;
}

std::string furthest_from_limit(const ModelLatency& latency, const Limits& limits) {
  std::vector<LayerTime> times = layer_times(latency.result.steps);
  std::erase_if(times, [&](const LayerTime& t) { return limit_of(t, limits).ms == 0; });
  const auto lost = [&](const LayerTime& t) { return t.ms - limit_of(t, limits).ms; };
  std::stable_sort(times.begin(), times.end(),
                   [&](const LayerTime& a, const LayerTime& b) { return lost(a) > lost(b); });
  times.resize(std::min(times.size(), kFurthest));
  std::string text = fmt::format("{}, furthest from their limit:\n", engine_of(latency));
  for (const LayerTime& time : times) {
    const LayerLimit limit = limit_of(time, limits);
    text += fmt::format("- {}: {:.1f} µs, {:.1f} µs above its limit ({})\n", time.layer,
                        1e3 * time.ms, 1e3 * (time.ms - limit.ms), limit.name);
  }
  return text;
}

}  // namespace

std::vector<LayerTime> layer_times(const std::vector<StepTime>& steps) {
  std::vector<LayerTime> times;
  double all_weights = 0;
  for (const StepTime& one : steps) all_weights += one.step.weight_bytes;
  for (const auto& [step, milliseconds, rounds] : steps) {
    auto time = std::find_if(times.begin(), times.end(), [&layer = step.layer](const LayerTime& t) {
      return t.layer == layer;
    });
    if (time == times.end()) {
      times.push_back({.layer = step.layer, .kernel = step.kernel, .all_weights = all_weights});
      time = std::prev(times.end());
    } else {
      time->kernel += " + " + step.kernel;
    }
    time->ms += milliseconds;
    time->flops += step.flops;
    time->kernel_flops += step.kernel_flops;
    time->bytes += step.bytes;
    time->integers |= step.integers;
    time->weight_share += step.weight_share;
    time->rounds.resize(rounds.size());
    for (size_t i = 0; i < rounds.size(); ++i) time->rounds[i] += rounds[i];
  }
  return times;
}

Table layer_records(const std::vector<ModelLatency>& latencies, const Machine& machine) {
  std::vector<Column> columns = {{"model", "model", Align::left},
                                 {"engine", "engine", Align::left},
                                 {"scenario", "scenario", Align::left},
                                 {"batch", "batch"},
                                 {"threads", "threads"},
                                 {"layer", "layer", Align::left},
                                 {"kernel", "kernel", Align::left},
                                 {"median ms/image", "median_ms"},
                                 {"flops", "flops"},
                                 {"kernel flops", "kernel_flops"},
                                 {"bytes", "bytes"},
                                 {"GFLOP/s", "gflops"},
                                 {"limit", "limit", Align::left},
                                 {"of limit %", "limit_percent"},
                                 {"pin", "pin", Align::left}};
  for (const Column& column : machine_columns()) columns.push_back(column);
  Table table(columns);
  const auto all_limits = limits_of(latencies);
  for (const auto& [model, result] : latencies) {
    const LatencyCell& cell = result.cell;
    const Limits& limits = all_limits.at(cell.threads);
    const auto add = [&, &name = model](const LayerTime& time, const LayerLimit& limit) {
      std::vector<Cell> row = {name,
                               cell.engine,
                               scenario(cell.batch),
                               int64_t{cell.batch},
                               int64_t{cell.threads},
                               time.layer,
                               time.kernel,
                               Number{time.ms, 5},
                               Number{time.flops, 0},
                               Number{time.kernel_flops, 0},
                               Number{time.bytes, 0},
                               gflops(time, 1),
                               limit.name,
                               percent_of_limit(time, limit),
                               pinned_cores(cell.threads)};
      for (Cell& about : machine_cells(machine)) row.push_back(std::move(about));
      table.add_row(std::move(row));
    };
    const std::vector<LayerTime> times = layer_times(result.steps);
    for (const LayerTime& time : times) add(time, limit_of(time, limits));
    add(sum(times), sum_of_limits(times, limits));
  }
  return table;
}

std::string layer_report(const std::vector<ModelLatency>& latencies) {
  std::string text;
  const auto all_limits = limits_of(latencies);
  for (const Group& group : groups(latencies)) {
    const LatencyCell& cell = group.front()->result.cell;
    const Limits& limits = all_limits.at(cell.threads);
    std::vector<std::string> bandwidths;
    for (const Limits::Store& store : limits.stores) {
      bandwidths.push_back(fmt::format("{:.0f} GB/s in {}", store.gbs, store.name));
    }
    text += fmt::format(
        "{}, {}, batch {}, {} thread{}\nLimits: {:.0f} GFLOP/s, in integers {:.0f}, {}\n\n{}\n",
        group.front()->model, scenario(cell.batch), cell.batch, cell.threads,
        cell.threads == 1 ? "" : "s", limits.gflops, limits.integer_gflops,
        fmt::join(bandwidths, ", "), side_by_side(group, limits).render(Format::md));
    for (const ModelLatency* latency : group) text += furthest_from_limit(*latency, limits) + '\n';
  }
  return text;
}

}  // namespace edgeprune
