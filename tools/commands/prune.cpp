#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/summary.h"
#include "pruning/masks.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct Options {
  std::string model, method, out, format = "md";
  double sparsity = 0;
  bool dry_run = false;
};

/// Per layer what goes and what stays, and the totals by all the denominators people use.
Table plan_table(const ModelSummary& before, const ModelSummary& after) {
  Table table({{"layer", "layer", Align::left},
               {"weights", "weights"},
               {"zero before", "zeros_before"},
               {"zero after", "zeros_after"},
               {"sparsity %", "sparsity_percent"},
               {"multiply-adds removed %", "multiply_adds_removed_percent"}});
  const auto row = [&](const std::string& name, int64_t count, int64_t nonzero_before,
                       int64_t nonzero_after, Cell removed) {
    table.add_row({name, count, count - nonzero_before, count - nonzero_after,
                   Number{100.0 * double(count - nonzero_after) / double(count), 2}, removed});
  };
  const auto removed = [](int64_t all, int64_t left) {
    return Number{100.0 * (1.0 - double(left) / double(all)), 2};
  };
  for (size_t i = 0; i < after.layers.size(); ++i) {
    const LayerSummary& layer = after.layers[i];
    row(layer.name, layer.parameters, before.layers[i].nonzeros, layer.nonzeros,
        removed(layer.multiply_adds, layer.nonzero_multiply_adds));
  }
  row("all prunable", after.prunable, before.nonzero_prunable, after.nonzero_prunable,
      removed(after.multiply_adds, after.nonzero_multiply_adds));
  row("all parameters", after.parameters, before.nonzero_parameters, after.nonzero_parameters, {});
  return table;
}

void run(const Options& o) {
  require(o.dry_run || !o.out.empty(), "prune", "--out is missing (or ask for a --dry-run)");
  if (!o.dry_run) require_writable(o.out);
  Checkpoint checkpoint = load_checkpoint(o.model);
  const ModelSummary before = summarize(*checkpoint.model);
  const Method method = parse_method(o.method);
  apply_masks(make_masks(*checkpoint.model, method, o.sparsity), *checkpoint.model);
  const ModelSummary after = summarize(*checkpoint.model);
  if (!o.dry_run) {
    checkpoint.info.history.push_back({{"step", "prune"},
                                       {"method", to_string(method)},
                                       {"schedule", "one-shot"},
                                       {"sparsity", o.sparsity},
                                       {"parent", checkpoint.sha256}});
    save_checkpoint(o.out, *checkpoint.model, checkpoint.info);
  }
  say(fmt::format("{}{} zeros among {} prunable weights", o.dry_run ? "dry run: " : "",
                  after.prunable - after.nonzero_prunable, after.prunable));
  print(plan_table(before, after), o.format);
}

}  // namespace

void add_prune(CLI::App& app) {
  auto* command =
      app.add_subcommand("prune", "Zero the least important weights or channels of a model");
  auto o = std::make_shared<Options>();
  add_model(*command, o->model);
  command
      ->add_option(
          "--method", o->method,
          "magnitude (unstructured, global L1) or channel (per layer, L2 of output channels)")
      ->required()
      ->check(CLI::IsMember({"magnitude", "channel"}));
  command
      ->add_option("--sparsity", o->sparsity,
                   "fraction of the prunable weights (of each layer's channels)")
      ->required();
  command->add_option("--out", o->out, "checkpoint to write");
  command->add_flag("--dry-run", o->dry_run, "only say what would go");
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune prune --model base.safetensors --method magnitude --sparsity 0.5 --out "
      "half.safetensors\n"
      "  edgeprune prune --model base.safetensors --method channel --sparsity 0.3 --dry-run\n"
      "Fine-tune the result with: edgeprune train --model half.safetensors ...");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
