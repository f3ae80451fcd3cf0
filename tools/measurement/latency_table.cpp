#include "tools/measurement/latency_table.h"

#include <fmt/format.h>

#include "engine/base/json.h"
#include "engine/inference/kernel_table.h"
#include "tools/measurement/pinning.h"

namespace edgeprune {
namespace {

Cell or_empty(const std::optional<double>& value) {
  return value ? Cell(Number{*value, 2}) : Cell();
}

/// A kernel or a plan, and what it takes.
struct Timed {
  std::string name;
  std::optional<double> us;
};

Cell listed(const std::vector<Timed>& all) {
  Structured cell{"", nlohmann::ordered_json::object()};
  for (const Timed& one : all) {
    cell.text += fmt::format("{}{} {:.2f}", cell.text.empty() ? "" : ", ", one.name, *one.us);
    cell.json[one.name] = *one.us;
  }
  return cell;
}

template <typename T>
void append(std::vector<T>& to, std::vector<T> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

}  // namespace

std::string scenario(int batch) {
  return batch == 1 ? "single-stream" : "offline";
}

std::string conditions(const Machine& machine) {
  return fmt::format("{}, {} core{}, {}; governor {}; {}; commit {}", machine.cpu, machine.cores,
                     machine.cores == 1 ? "" : "s", machine.simd, machine.governor, machine.build,
                     machine.commit);
}

std::vector<Column> machine_columns() {
  return {{"cpu", "cpu", Align::left},           {"cores", "cores"},
          {"governor", "governor", Align::left}, {"simd", "simd", Align::left},
          {"build", "build", Align::left},       {"commit", "commit", Align::left}};
}

std::vector<Cell> machine_cells(const Machine& machine) {
  return {machine.cpu,  int64_t{machine.cores}, machine.governor,
          machine.simd, machine.build,          machine.commit};
}

Table latency_table(const std::vector<ModelLatency>& latencies, const Machine& machine,
                    bool whole_records) {
  std::vector<Column> columns = {{"model", "model", Align::left},
                                 {"engine", "engine", Align::left},
                                 {"scenario", "scenario", Align::left},
                                 {"batch", "batch"},
                                 {"threads", "threads"},
                                 {"median ms/image", "median_ms"},
                                 {"speed-up", "speedup"},
                                 {"from", "speedup_low"},
                                 {"to", "speedup_high"},
                                 {"mean", "mean_ms"},
                                 {"p90", "p90_ms"},
                                 {"p99", "p99_ms"},
                                 {"min", "min_ms"},
                                 {"max", "max_ms"},
                                 {"n", "samples"}};
  if (whole_records) {
    append(columns, {{"rounds", "rounds"},
                     {"others' cores", "others_cores"},
                     {"stolen cores", "stolen_cores"},
                     {"involuntary switches", "involuntary_switches"},
                     {"arena bytes", "arena_bytes"},
                     {"pin", "pin", Align::left}});
    append(columns, machine_columns());
  }
  Table table(columns);
  for (const auto& [model, result] : latencies) {
    const LatencyCell& c = result.cell;
    const Factor factor = c.factor.value_or(Factor());
    const Load load = c.load.value_or(Load());
    std::vector<Cell> row = {model,
                             c.engine,
                             scenario(c.batch),
                             int64_t{c.batch},
                             int64_t{c.threads},
                             Number{c.median, 4},
                             Number{factor.median, 2},
                             Number{factor.low, 2},
                             Number{factor.high, 2},
                             Number{c.mean, 4},
                             Number{c.p90, 4},
                             Number{c.p99, 4},
                             Number{c.min, 4},
                             Number{c.max, 4},
                             c.samples};
    if (whole_records) {
      append(row, {factor.rounds, or_empty(load.others), or_empty(load.stolen), load.switches,
                   result.arena_bytes, pinned_cores(c.threads)});
      append(row, machine_cells(machine));
    }
    table.add_row(std::move(row));
  }
  return table;
}

std::string dense_part(const inference::Graph& graph, inference::Engine engine) {
  double all = 0, dense = 0;
  for (size_t i = 0; i < graph.layers.size(); ++i) {
    const inference::Layer& layer = graph.layers[i];
    if (layer.kind != inference::Layer::Kind::convolution) continue;
    const auto multiply_adds = static_cast<double>(layer.shape.multiply_adds());
    all += multiply_adds;
    if (!inference::has_sparse_kernel(graph, i, engine)) dense += multiply_adds;
  }
  if (dense < 0.25 * all) return "";
  return fmt::format(
      "{:.1f} % of its multiply-adds run on dense kernels whatever the engine: there are no "
      "sparse ones for the first layer and for convolutions in groups",
      100 * dense / all);
}

Table choices_table(const std::vector<ModelChoices>& choices) {
  Table table({{"model", "model", Align::left},
               {"batch", "batch"},
               {"threads", "threads"},
               {"layer", "layer", Align::left},
               {"zeros %", "zeros_percent"},
               {"auto takes", "kernel", Align::left},
               {"µs/image", "us"},
               {"instead of (µs/image)", "instead", Align::left}});
  for (const ModelChoices& one : choices) {
    const auto add = [&](const std::string& layer, Cell zeros, const Timed& taken,
                         const std::vector<Timed>& others) {
      table.add_row({one.model, int64_t{one.batch}, int64_t{one.threads}, layer, std::move(zeros),
                     taken.name, or_empty(taken.us), listed(others)});
    };
    const auto& layers = one.graph->layers;
    std::string kernel;
    for (size_t i = 0; i < layers.size(); ++i) {
      Timed taken{kernel, {}};  // the block's that began before it
      std::vector<Timed> others;
      if (const auto* own = one.choice.assignment.kernels[i]) taken.name = kernel = own->name;
      for (const auto& alternative : one.choice.alternatives) {
        if (alternative.first != i) continue;
        const Timed timed{alternative.kernel->name, 1e6 * alternative.seconds};
        if (alternative.taken) {
          taken = timed;
        } else {
          others.push_back(timed);
        }
      }
      const bool weights = layers[i].weight.defined();
      add(layers[i].name, weights ? Cell(Number{100 * layers[i].zeros(), 1}) : Cell(), taken,
          others);
    }
    Timed taken;
    std::vector<Timed> others;
    for (const auto& plan : one.choice.plans) {
      (plan.taken ? taken : others.emplace_back()) = {plan.name, 1e6 * plan.seconds};
    }
    add("whole plan", {}, taken, others);
  }
  return table;
}

std::string samples_json_lines(const std::vector<ModelLatency>& latencies, const Machine& machine) {
  auto rows =
      nlohmann::ordered_json::parse(latency_table(latencies, machine, true).render(Format::json));
  std::string text;
  for (size_t i = 0; i < latencies.size(); ++i) {
    rows[i]["samples_ms"] = latencies[i].result.samples;
    text += rows[i].dump() + '\n';
  }
  return text;
}

}  // namespace edgeprune
