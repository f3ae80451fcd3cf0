#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "models/summary.h"
#include "pruning/compact.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/experiment/channel_table.h"

namespace edgeprune::commands {
namespace {

struct Options {
  std::string model, method, mode = "mask", out, format = "md";
  double sparsity = 0;
  GroupLimits limits;
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

void save(const Options& o, const MobileNetV2& model, Checkpoint& parent) {
  nlohmann::json step{{"step", "prune"},
                      {"method", o.method},
                      {"schedule", "one-shot"},
                      {"sparsity", o.sparsity},
                      {"parent", parent.sha256}};
  if (o.mode != "mask") {
    step["mode"] = o.mode;
    step["round_to"] = o.limits.round_to;
    step["min_channels"] = o.limits.min_channels;
  }
  parent.info.history.push_back(step);
  save_checkpoint(o.out, model, parent.info);
}

void prune_weights(const Options& o, Checkpoint& checkpoint) {
  MobileNetV2& model = *checkpoint.model;
  const ModelSummary before = summarize(model);
  apply_masks(make_masks(model, parse_method(o.method), o.sparsity), model);
  const ModelSummary after = summarize(model);
  if (!o.dry_run) save(o, model, checkpoint);
  say(fmt::format("{}{} zeros among {} prunable weights", o.dry_run ? "dry run: " : "",
                  after.prunable - after.nonzero_prunable, after.prunable));
  print(plan_table(before, after), o.format);
}

void prune_groups(const Options& o, Checkpoint& checkpoint) {
  MobileNetV2& model = *checkpoint.model;
  const ChannelPlan plan = plan_smallest_channels(model, o.sparsity, o.limits);
  const auto small = compact(model, plan);
  Table table = channel_table(plan, summarize(model), summarize(*small));
  if (!o.dry_run && o.mode == "compact") {
    const auto before = static_cast<int64_t>(std::filesystem::file_size(o.model));
    save(o, *small, checkpoint);
    add_channel_row(table, "file bytes", before,
                    static_cast<int64_t>(std::filesystem::file_size(o.out)));
  } else if (!o.dry_run) {
    apply_masks(group_masks(model, plan), model);
    save(o, model, checkpoint);
  }
  say(fmt::format(
      "{}{} channels {}", o.dry_run ? "dry run: " : "", removed_channels(plan),
      o.mode == "compact" ? "removed" : "zeroed; 'after' is what edgeprune compact makes of it"));
  print(table, o.format);
}

void run(const Options& o) {
  require(o.dry_run || !o.out.empty(), "prune", "--out is missing (or ask for a --dry-run)");
  const bool groups = o.mode != "mask";
  require(!groups || o.method == "channel", "prune", "--mode {} is for --method channel, not {}",
          o.mode, o.method);
  require(groups || (o.limits.round_to == 1 && o.limits.min_channels == 1), "prune",
          "--round-to and --min-channels are for --mode group-mask and compact");
  if (!o.dry_run) require_writable(o.out);
  Checkpoint checkpoint = load_checkpoint(o.model);
  if (groups) {
    prune_groups(o, checkpoint);
  } else {
    prune_weights(o, checkpoint);
  }
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
                   "fraction of the prunable weights (of each layer's or group's channels)")
      ->required();
  command
      ->add_option("--mode", o->mode,
                   "what becomes of channels: mask (zeroed, each layer by itself), group-mask "
                   "(zeroed together with all that makes and reads them: batch norm, depthwise "
                   "filter, residual stream), compact (such groups removed: a smaller model)")
      ->check(CLI::IsMember({"mask", "group-mask", "compact"}))
      ->capture_default_str();
  command
      ->add_option("--round-to", o->limits.round_to,
                   "groups keep a multiple of so many channels (8 or 16 suit the kernels), unless "
                   "they have no more than that")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--min-channels", o->limits.min_channels, "groups keep at least so many")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--out", o->out, "checkpoint to write");
  command->add_flag("--dry-run", o->dry_run, "only say what would go");
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune prune --model base.safetensors --method magnitude --sparsity 0.5 --out "
      "half.safetensors\n"
      "  edgeprune prune --model base.safetensors --method channel --sparsity 0.3 --dry-run\n"
      "  edgeprune prune --model base.safetensors --method channel --mode compact --sparsity 0.5 "
      "--round-to 8 --out small.safetensors\n"
      "Fine-tune the result with: edgeprune train --model half.safetensors ...");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
