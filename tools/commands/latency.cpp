#include "tools/measurement/latency.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "engine/inference/assignment.h"
#include "models/checkpoint.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/measurement/latency_table.h"
#include "tools/measurement/layer_times.h"
#include "tools/measurement/pinning.h"
#include "tools/measurement/rounds.h"

namespace edgeprune::commands {
namespace {

struct LatencyArguments {
  LoadingFlags loading;
  std::vector<std::string> models, engines{"dense", "sparse", "auto"};
  std::vector<int> batches{1, 64}, threads;
  LatencyOptions measurement;
  std::string samples, format = "md";
  bool pin = false, explain = false, retime = false;
};

struct Measured {
  std::vector<ModelLatency> latencies;
  std::vector<ModelChoices> choices;  // of the engine auto
};

/// Those of the engines that run a model: some of a list are for models in floats, some for quantised
/// ones.
std::vector<inference::Engine> engines_of(const inference::Graph& graph,
                                          std::vector<inference::Engine> engines,
                                          const std::string& model) {
  const bool quantized = graph.integers != nullptr;
  std::erase_if(engines, [&](inference::Engine engine) { return !can_run(engine, graph); });
  require(!engines.empty(), "latency", "{} is {}: expected --engine {} for it", model,
          quantized ? "quantised" : "in floats",
          quantized ? "int8, int8-sparse or auto" : "other than int8, int8-sparse");
  return engines;
}

Measured measure(const LatencyArguments& o) {
  std::vector<inference::Engine> engines;
  for (const std::string& name : o.engines) engines.push_back(inference::parse_engine(name));
  std::vector<std::shared_ptr<const inference::Graph>> graphs;
  for (const std::string& path : o.models) {
    const Checkpoint checkpoint = o.loading.load(path, true);
    graphs.push_back(std::make_shared<const inference::Graph>(
        inference_graph(*checkpoint.model, checkpoint.info)));
    const std::string dense = dense_part(*graphs.back());
    if (!dense.empty() && std::ranges::count(engines, inference::Engine::sparse) > 0) {
      say(fmt::format("note: {}: {}", path, dense));
    }
  }
  std::vector<LatencyCase> cases;
  Measured measured;
  for (const int threads : o.threads) {
    for (const int batch : o.batches) {
      const size_t first = cases.size();
      for (size_t i = 0; i < graphs.size(); ++i) {
        for (LatencyCase& one : latency_cases(
                 graphs[i], engines_of(*graphs[i], engines, o.models[i]), {batch}, {threads})) {
          cases.push_back(std::move(one));
          cases.back().reference = first;
          measured.latencies.push_back({o.models[i], {}});
        }
      }
    }
  }
  std::vector<LatencyResult> results = measure_latency(cases, o.measurement);
  for (size_t i = 0; i < results.size(); ++i) {
    measured.latencies[i].result = std::move(results[i]);
    const LatencyCase& one = cases[i];
    if (one.engine != inference::Engine::automatic) continue;
    const ThreadScope scope(one.threads);  // whose times the plan left
    measured.choices.push_back({measured.latencies[i].model, one.batch, one.threads, one.graph,
                                kernel_choices().choose(*one.graph, one.batch)});
  }
  return measured;
}

/// Of a quantised model, whether what auto takes has the logits of the engine int8.
std::string bits_of_logits(const ModelChoices& one) {
  if (one.graph->integers == nullptr) return "";
  const size_t floats = layers_taken_out_of_integers(*one.graph, one.choice.assignment);
  if (floats == 0) return ", with int8's logits bit for bit";
  return fmt::format(
      ", {} of whose layers compute in floats with the rounded weights: its logits "
      "are near int8's, not the same bits",
      floats);
}

/// A cap may have ended the rounds early.
void say_what_is_wide(const std::vector<ModelLatency>& latencies) {
  double widest = 0;
  for (const ModelLatency& one : latencies) {
    widest = std::max(widest, one.result.cell.factor->half_width());
  }
  if (widest <= RoundLimits().precision) return;
  say(
      fmt::format("note: a speed-up is known to {:.0f} % only: longer --seconds, or a quieter "
                  "machine, would tell more",
                  100 * widest));
}

void run(const LatencyArguments& o) {
  require_usage(!(o.explain || o.retime) || std::ranges::count(o.engines, "auto") > 0, "latency",
                "--explain and --retime are about what auto chooses: --engine auto");
  if (o.pin) pin_threads();
  const InterruptGuard guard;
  const int most_threads = *std::max_element(o.threads.begin(), o.threads.end());
  const ThreadNotes notes(most_threads);
  const auto claim = o.samples.empty() ? nullptr : claim_output(o.samples);
  if (o.retime) forget_kernel_choices();
  const auto [latencies, choices] = measure(o);
  const Machine machine = this_machine();
  print_conditions(machine, most_threads, o.format);
  if (o.explain && o.format != "md") {
    print(choices_table(choices), o.format);
  } else if (!o.measurement.per_layer) {
    print(latency_table(latencies, machine, o.format != "md"), o.format);
  } else if (o.format == "md") {
    print(layer_report(latencies));
  } else {
    print(layer_records(latencies, machine), o.format);
  }
  if (o.explain && o.format == "md") print(choices_table(choices), o.format);
  for (const ModelChoices& one : choices) {
    const auto taken =
        std::ranges::find(one.choice.plans, true, &inference::Choice::WholePlan::taken);
    if (taken == one.choice.plans.end()) continue;
    say(fmt::format("auto, {}, batch {}, {} thread{}: the plan '{}'{}{}", one.model, one.batch,
                    one.threads, one.threads == 1 ? "" : "s", taken->name, bits_of_logits(one),
                    o.explain ? "" : " (--explain says what it is made of, and why)"));
  }
  say_what_is_wide(latencies);
  if (!o.samples.empty()) {
    write_file_atomically(o.samples, samples_json_lines(latencies, machine));
    say("samples: " + o.samples);
  }
}

}  // namespace

void add_latency(CLI::App& app) {
  auto* command = app.add_subcommand(
      "latency",
      "Time models on engines, interleaved in one run: ms per image, medians and percentiles");
  auto o = std::make_shared<LatencyArguments>();
  command->add_option("--model", o->models, "checkpoint; may be given more than once")->required();
  add_input_size(*command, o->loading.input_size);
  add_engines(*command, o->engines, "; each model is timed on those that run it");
  add_batches_and_threads(*command, o->batches, o->threads);
  add_measurement(*command, o->measurement, o->pin);
  command->add_option("--samples", o->samples,
                      "file for all samples: a line of JSON for each line of the table");
  command->add_flag("--per-layer", o->measurement.per_layer,
                    "time every layer, and say how near to the machine's limit it is");
  command->add_flag("--explain", o->explain,
                    "show what auto chose for every layer, and the times it chose by");
  command->add_flag("--retime", o->retime, "let auto time the kernels anew, not use earlier times");
  add_format(*command, o->format);
  command->footer(
      "Example:\n"
      "  edgeprune latency --model base.safetensors --model pruned.safetensors \\\n"
      "    --engine dense,sparse,auto --batch 1,64 --threads 1,2 --pin --samples samples.jsonl\n"
      "  edgeprune latency --model pruned.safetensors --batch 1 --per-layer\n"
      "  edgeprune latency --model base.safetensors --model int8.safetensors --engine dense,int8\n"
      "  edgeprune latency --model pruned.safetensors --engine auto --explain\n"
      "Speed-ups are against the first line of the same batch and threads, which all took turns:\n"
      "the median of the rounds' ratios, with the interval (from, to) that holds the true one "
      "with\n"
      "95 % confidence. Batch 1 is the latency of single images (single-stream), larger ones are\n"
      "throughput (offline).");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
