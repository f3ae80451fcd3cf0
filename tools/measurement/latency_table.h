#pragma once
// Latencies as a table, and their raw samples.

#include <memory>
#include <string>
#include <vector>

#include "engine/inference/kernel_choices.h"
#include "tools/cli/table.h"
#include "tools/measurement/latency.h"
#include "tools/measurement/machine.h"

namespace edgeprune {

/// A latency and the model it is of.
struct ModelLatency {
  std::string model;
  LatencyResult result;
};

/// "single-stream" for single images, "offline" for batches (MLPerf Inference's names).
std::string scenario(int batch);

/// "AMD EPYC, 2 cores, avx512; governor unknown; RelWithDebInfo, GCC 12.2.0, ...; commit 0123abc".
std::string conditions(const Machine& machine);

/// Columns for what every record of a time says of the machine, and their cells.
std::vector<Column> machine_columns();
std::vector<Cell> machine_cells(const Machine& machine);

/// A row a latency. "speed-up" is its factor against the reference, "from" and "to" the interval.
/// `whole_records` (for programs) adds the rounds, what disturbed them, the plan's memory, the cores
/// that the threads are pinned to, and the machine to every row.
Table latency_table(const std::vector<ModelLatency>& latencies, const Machine& machine,
                    bool whole_records);

/// What to say of a network a quarter of whose multiply-adds or more has no sparse kernel on this
/// engine, so that zeros cannot make that part faster; of others nothing.
std::string dense_part(const inference::Graph& graph,
                       inference::Engine engine = inference::Engine::sparse);

/// What the engine `auto` chose for a model, and why.
struct ModelChoices {
  std::string model;
  int batch = 1, threads = 1;
  std::shared_ptr<const inference::Graph> graph;
  inference::Choice choice;
};
/// A row a layer: what it runs on, what else could run it (or a block that begins with it), and what
/// each takes. Then one for the whole plan.
Table choices_table(const std::vector<ModelChoices>& choices);

/// A line of JSON for each latency: what the table's row says, and all samples in the order they
/// were taken, in milliseconds an image.
std::string samples_json_lines(const std::vector<ModelLatency>& latencies, const Machine& machine);

}  // namespace edgeprune
