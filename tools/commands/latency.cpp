#include "tools/experiment/latency.h"

#include <algorithm>
#include <memory>

#include "engine/base/check.h"
#include "models/checkpoint.h"
#include "models/fold.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/experiment/machine.h"

namespace edgeprune::commands {
namespace {

struct Options {
  std::vector<std::string> models, engines{"dense", "sparse"};
  std::vector<int> batches{1, 64}, threads{1};
  LatencyOptions measurement;
  std::string format = "md";
};

void run(const Options& o) {
  const InterruptGuard guard;
  warn_of_surplus_threads(*std::max_element(o.threads.begin(), o.threads.end()));
  std::vector<inference::Engine> engines;
  for (const std::string& name : o.engines) engines.push_back(inference::parse_engine(name));
  std::vector<LatencyCase> cases;
  std::vector<std::string> names;
  for (const std::string& path : o.models) {
    const auto graph =
        std::make_shared<const inference::Graph>(fold_batch_norm(*load_checkpoint(path).model));
    for (LatencyCase& one : latency_cases(graph, engines, o.batches, o.threads)) {
      cases.push_back(std::move(one));
      names.push_back(path);
    }
  }
  const std::vector<LatencyCell> cells = measure_latency(cases, o.measurement);
  Table table({{"model", "model", Align::left},
               {"engine", "engine", Align::left},
               {"batch", "batch"},
               {"threads", "threads"},
               {"median ms/image", "median_ms"},
               {"mean", "mean_ms"},
               {"p90", "p90_ms"},
               {"p99", "p99_ms"},
               {"min", "min_ms"},
               {"max", "max_ms"},
               {"samples", "samples"}});
  for (size_t i = 0; i < cells.size(); ++i) {
    const LatencyCell& c = cells[i];
    table.add_row({names[i], c.engine, int64_t{c.batch}, int64_t{c.threads}, Number{c.median, 4},
                   Number{c.mean, 4}, Number{c.p90, 4}, Number{c.p99, 4}, Number{c.min, 4},
                   Number{c.max, 4}, c.samples});
  }
  say(fmt::format("{}; {}; {}", machine_description(), build_description(), build_commit()));
  print(table, o.format);
}

}  // namespace

void add_latency(CLI::App& app) {
  auto* command = app.add_subcommand(
      "latency",
      "Time models on engines, interleaved in one run: ms per image, medians and percentiles");
  auto o = std::make_shared<Options>();
  command->add_option("--model", o->models, "checkpoint; may be given more than once")->required();
  command->add_option("--engine", o->engines, "dense, sparse, or both")
      ->delimiter(',')
      ->check(CLI::IsMember(inference::engine_names()))
      ->capture_default_str();
  command->add_option("--batch", o->batches, "images at a time")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  command->add_option("--threads", o->threads, "CPU threads")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--seconds", o->measurement.seconds, "of measuring, a line of the table")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--samples", o->measurement.samples, "at least so many, a line of the table")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_format(*command, o->format);
  command->footer(
      "Example:\n"
      "  edgeprune latency --model base.safetensors --model pruned.safetensors --engine "
      "dense,sparse \\\n"
      "    --batch 1,64 --threads 1,2");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
