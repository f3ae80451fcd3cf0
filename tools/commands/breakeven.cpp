#include "tools/sweeps/breakeven.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/base/file.h"
#include "models/checkpoint.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/latency_table.h"
#include "tools/measurement/pinning.h"
#include "tools/sweeps/breakeven_plots.h"
#include "tools/sweeps/breakeven_tables.h"

namespace edgeprune::commands {
namespace {

struct BreakevenArguments {
  LoadingFlags loading;
  std::string model, folder = "breakeven", format = "md";
  std::vector<int> batches{1, 64}, threads;
  std::vector<double> levels{0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
  std::vector<std::string> engines{"dense", "sparse", "auto"};
  LatencyOptions measurement;
  bool pin = false;
};

void draw_sweep(const Sweep& sweep, const Machine& machine, const std::string& folder) {
  try {
    for (const std::string& path : write_breakeven_plots(sweep, machine, folder)) {
      say("plot: " + path);
    }
  } catch (const PlotError& error) {
    say(fmt::format("no plots: {}", error.what()));
  }
}

void print_sweep(const Sweep& sweep) {
  print(fmt::format("{}, batch {}, {} thread{}\n\n{}\n{}\n", scenario(sweep.batch), sweep.batch,
                    sweep.threads, sweep.threads == 1 ? "" : "s",
                    end_to_end_table(sweep).render(Format::md),
                    break_even_table(sweep).render(Format::md)));
}

void run(const BreakevenArguments& o) {
  std::vector<inference::Engine> engines;
  for (const std::string& name : o.engines) engines.push_back(inference::parse_engine(name));
  Numbers numbers = Numbers::floats;
  as_usage([&] { numbers = numbers_of(engines); });
  if (o.pin) pin_threads();
  const InterruptGuard guard;
  const std::vector<double> levels = sorted_levels(o.levels);
  const int most_threads = *std::max_element(o.threads.begin(), o.threads.end());
  const ThreadNotes notes(most_threads);
  const Checkpoint checkpoint = o.loading.load(o.model);
  const std::vector<PrunedGraph> graphs = prune_to_levels(*checkpoint.model, levels, numbers);
  if (const std::string dense = dense_part(*graphs.front().graph, engines[1]); !dense.empty()) {
    say(fmt::format("note: {}: {}", o.model, dense));
  }
  make_folder(o.folder);
  const std::string data = (std::filesystem::path(o.folder) / "breakeven.jsonl").string();
  const auto claim = claim_output(data);

  const Machine machine = this_machine();
  print_conditions(machine, most_threads, o.format);
  std::vector<Sweep> sweeps;
  for (const int threads : o.threads) {
    for (const int batch : o.batches) {
      sweeps.push_back(measure_sweep(graphs, engines, batch, threads, o.measurement));
      if (o.format == "md") print_sweep(sweeps.back());
      if (const auto what = disturbance(sweeps.back())) {
        say(fmt::format("note: batch {}, {} thread{}: {}", batch, threads, threads == 1 ? "" : "s",
                        *what));
      }
      write_file_atomically(data, json_lines(breakeven_records(sweeps, o.model, machine)));
      draw_sweep(sweeps.back(), machine, o.folder);
    }
  }
  if (o.format != "md") print(breakeven_records(sweeps, o.model, machine), o.format);
  say("data: " + data);
}

}  // namespace

void add_breakeven(CLI::App& app) {
  auto* command = app.add_subcommand(
      "breakeven", "From how many zeros on sparse beats dense: tables and two pictures");
  auto o = std::make_shared<BreakevenArguments>();
  command->add_option("--model", o->model, "checkpoint to prune, in memory")->required();
  add_input_size(*command, o->loading.input_size);
  command
      ->add_option("--levels", o->levels,
                   "parts of the prunable weights to zero, as 0.5,0.9 or 50%,90%")
      ->transform(fraction())
      ->delimiter(',')
      ->capture_default_str();
  add_engines(*command, o->engines, ": dense,sparse or int8,int8-sparse, with auto or without");
  add_batches_and_threads(*command, o->batches, o->threads);
  add_measurement(*command, o->measurement, o->pin);
  command->add_option("--out", o->folder, "folder for pictures and data")->capture_default_str();
  add_format(*command, o->format);
  command->footer(
      "Example:\n"
      "  edgeprune breakeven --model base.safetensors --batch 1,64 --threads 1,2 --pin --out "
      "breakeven\n"
      "  edgeprune breakeven --model base.safetensors --engine int8,int8-sparse,auto --out "
      "integers\n"
      "Prunes the model globally by magnitude to every level and times the engines, end to end "
      "and\n"
      "layer by layer, in turns. For those in integers it quantises what is pruned, on random "
      "images;\n"
      "int8-sparse skips zeros in all layers then, not only where that pays, as auto does.\n"
      "Speed-ups are against the first engine at the same level, the\n"
      "median of the rounds' ratios with its 95 % interval (from, to); break-evens have the range\n"
      "that follows from it. A layer's break-even is in the layer's own zeros. Pictures and\n"
      "breakeven.jsonl are whole for every batch size and thread count that was finished.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
