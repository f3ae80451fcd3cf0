#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "models/copy_model.h"
#include "models/summary.h"
#include "pruning/compact.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/prune_options.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/channel_table.h"
#include "tools/training/prune_table.h"

namespace edgeprune::commands {
namespace {

/// Groups that cannot shrink as far as was asked for, in one line.
void say_what_stays(const ChannelPlan& plan) {
  int64_t held = 0;
  const GroupPlan* first = nullptr;
  for (const GroupPlan& planned : plan) {
    if (planned.note.empty()) continue;
    if (first == nullptr) first = &planned;
    ++held;
  }
  if (first == nullptr) return;
  say(fmt::format("{} of {} groups cannot shrink as far as asked, as {}: {}", held, plan.size(),
                  first->group.name, first->note));
}

void take_names(const PruneOptions& o, const Dataset& training, Checkpoint& checkpoint) {
  if (!take_class_names(checkpoint.info, training)) return;
  say(fmt::format("{} names no classes: they are the data's, {}", o.model,
                  fmt::join(training.classes, ", ")));
}

/// Layers whose outputs are no whole number of blocks, in one line.
void say_smaller_blocks(const nn::Network& model, WeightBlock block) {
  const int64_t outputs = outputs_in(block);
  std::vector<std::string> layers;
  for (const PrunableWeight& weight : prunable_weights(model)) {
    const int64_t rows = weight.variable.value().dim(0);
    if (rows % outputs == 0) continue;
    layers.push_back(fmt::format("{} ({} outputs)", weight.layer(), rows));
  }
  if (layers.empty()) return;
  say(fmt::format("note: outputs are no multiple of {}, and the last blocks smaller, in {}",
                  outputs, fmt::join(layers, ", ")));
}

/// The training images that scores are measured on.
Samples samples_of(Trajectory& trajectory, const Dataset& training, const Checkpoint& checkpoint) {
  PruneAndTune& each = trajectory.each;
  each.score_images = std::min(each.score_images, training.size());
  return score_samples(each.prune.method, checkpoint.info, training, each.score_images,
                       each.training.seed);
}

/// The same where nothing else takes data; empty if scores do not either.
Samples open_samples(const PruneOptions& o, Trajectory& trajectory, Checkpoint& checkpoint) {
  if (!needs_images(trajectory.each.prune.method)) return {};
  const Dataset training =
      o.data.open("prune", Split::train, sight_of(checkpoint), o.limit, o.training.options.seed);
  take_names(o, training, checkpoint);
  return samples_of(trajectory, training, checkpoint);
}

/// Prunes once and saves; no data but for scores.
void prune_at_once(const PruneOptions& o, Trajectory trajectory, Checkpoint& checkpoint) {
  const Samples samples = open_samples(o, trajectory, checkpoint);
  PruneRequest request = trajectory.each.prune;
  request.step = trajectory.steps.front();
  const bool removes = request.mode == PruneMode::compact;
  const ModelSummary before = summarize(*checkpoint.model);
  const ModelSummary whole = summarize_unpruned(*checkpoint.model);
  const auto was = copy_of(*checkpoint.model);
  Pruned pruned = prune(std::move(checkpoint.model), request, samples);
  Table table = plan_table();
  if (request.mode == PruneMode::mask) add_plan_rows(table, 1, whole, *was, *pruned.model);
  const ModelSummary after = summarize(*pruned.model);
  const std::string warning = dead_layers(*pruned.model);
  if (o.strict) report_warning(warning, true, say);
  if (pruned.plan) {
    table = channel_table(*pruned.plan, before,
                          removes ? after : summarize(*compact(*pruned.model, *pruned.plan)));
  }
  if (!o.dry_run) {
    const auto bytes_before = static_cast<int64_t>(std::filesystem::file_size(o.model));
    trajectory.each.prune = request;
    checkpoint.info.history.push_back(pruning_entry(trajectory.each, checkpoint.sha256));
    save_checkpoint(o.out, *pruned.model, checkpoint.info, parse_storage(o.store));
    if (removes) {
      add_channel_row(table, "file bytes", bytes_before,
                      static_cast<int64_t>(std::filesystem::file_size(o.out)));
    }
  }
  const char* prefix = o.dry_run ? "dry run: " : "";
  if (pruned.plan) {
    say_what_stays(*pruned.plan);
    say(fmt::format("{}{} channels {}", prefix, removed_channels(*pruned.plan),
                    removes ? "removed" : "zeroed; 'after' is what edgeprune compact makes of it"));
  } else {
    say(fmt::format("{}{} zeros among {} prunable weights", prefix,
                    after.prunable - after.nonzero_prunable, after.prunable));
  }
  report_warning(warning, false, say);  // strict: before anything was written
  print(table, o.format);
}

/// A line on stderr for each step, if all can be done, and the steps' layers as a table.
Table plan(const Trajectory& trajectory, const Checkpoint& checkpoint, const Samples& samples) {
  const ModelSummary whole = summarize_unpruned(*checkpoint.model);
  const size_t steps = trajectory.steps.size();
  const bool channels = is_structured(trajectory.each.prune.method);
  Table table = plan_table();
  std::vector<std::string> lines;
  std::string warning;  // of the last step
  if (steps > 1) {
    lines.push_back(
        "plan, on the weights as they are now, without the fine-tuning in between (which changes "
        "the weights that go, not how many of all):");
  }
  plan_trajectory(
      *checkpoint.model, trajectory, samples,
      [&](size_t i, const nn::Network& before, const nn::Network& after) {
        add_plan_rows(table, i + 1, whole, before, after);
        const ModelSummary left = summarize(after);
        const auto& [fraction, base] = trajectory.steps[i];
        lines.push_back(fmt::format("step {}/{}, {:.4g} of the {} {}: {}", i + 1, steps, fraction,
                                    to_string(base), channels ? "channels" : "weights",
                                    to_string(reduction(whole, left), left.nonzero_multiply_adds)));
        if (i + 1 == steps) warning = dead_layers(after);
      });
  for (const std::string& line : lines) say(line);
  report_warning(warning, trajectory.each.strict, say);
  return table;
}

/// Prunes, fine-tunes, and so on, and saves the last model that is good enough.
void prune_and_train(const PruneOptions& o, Trajectory trajectory, Checkpoint& checkpoint) {
  const ModelSummary whole = summarize_unpruned(*checkpoint.model);
  const Sight sight = sight_of(checkpoint);
  std::optional<int64_t> held_out = o.validation;
  if (!held_out && o.min_accuracy == 0) held_out = 0;
  auto [training, test] =
      o.data.open_training("prune", sight, o.limit, held_out, o.training.options.seed);
  if (held_out == 0) test = o.data.open("prune", Split::test, sight);
  const std::string batches = batch_note(training.size(), o.training.options.batch);
  if (trajectory.each.training.epochs > 0 && !batches.empty()) say("note: " + batches);
  take_names(o, training, checkpoint);
  if (trajectory.each.recovery.distillation) {
    require(!o.teacher.empty() || !checkpoint.info.is_pruned(), "prune",
            "--distill learns from the dense baseline, but {} is pruned: name it with --teacher",
            o.model);
    trajectory.each.recovery.teacher =
        load_teacher(o.teacher.empty() ? o.model : o.teacher, checkpoint.info);
  }
  plan(trajectory, checkpoint, samples_of(trajectory, training, checkpoint));
  const auto steps = run_trajectory(checkpoint, trajectory, training, test, say);
  save_checkpoint(o.out, *checkpoint.model, checkpoint.info, parse_storage(o.store));
  remove_state(trajectory);
  Table table = trajectory_table();
  for (size_t i = 0; i < steps.size(); ++i) add_trajectory_row(table, i + 1, steps[i], whole);
  if (!steps.back().kept) {
    const size_t good = steps.size() - 1;
    say(fmt::format(
        "stopped: step {} fell to {:.2f} %, below {:.2f} %; {} is the model {}", steps.size(),
        100 * steps.back().accuracy, 100 * o.min_accuracy, o.out,
        good == 0 ? "as it was, not pruned any further"
                  : fmt::format("of step {} ({:.2f} %)", good, 100 * steps[good - 1].accuracy)));
  } else {
    say(fmt::format("{}: accuracy {:.2f} % on {} images {}", o.out, 100 * steps.back().accuracy,
                    test.size(), held_out != 0 ? "held out" : "of the test set"));
  }
  print(table, o.format);
}

void run(const PruneOptions& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  require_usage(o.dry_run || !o.out.empty(), "prune", "--out is missing (or ask for a --dry-run)");
  Trajectory trajectory = o.parse();
  const bool several = trajectory.steps.size() > 1,
             trains = !o.dry_run && (several || o.uses_data());
  require_usage(!trains || !o.data.location.empty(), "prune", "--data is missing: {}",
                several ? "a schedule of several steps fine-tunes in between"
                        : "what is asked for takes images");
  const auto claim = o.dry_run ? nullptr : claim_output(o.out);
  Checkpoint checkpoint = o.loading.load(o.model);
  say_smaller_blocks(*checkpoint.model, trajectory.each.prune.block);
  if (o.dry_run && !o.schedule.empty()) {
    const Samples samples = open_samples(o, trajectory, checkpoint);
    print(plan(trajectory, checkpoint, samples), o.format);
  } else if (trains) {
    const ThreadNotes notes(o.threads);
    prune_and_train(o, trajectory, checkpoint);
  } else {
    prune_at_once(o, trajectory, checkpoint);
  }
}

}  // namespace

void add_prune(CLI::App& app) {
  auto* command = app.add_subcommand(
      "prune", "Take the least important weights or channels from a model, at once or in steps");
  auto o = std::make_shared<PruneOptions>();
  o->add(*command);
  command->footer(
      "Examples:\n"
      "  edgeprune prune --model base.safetensors --method magnitude --sparsity 0.5 --out "
      "half.safetensors\n"
      "  edgeprune prune --model base.safetensors --method lamp --block 4x1 --sparsity 0.8 --out "
      "blocks.safetensors\n"
      "  edgeprune prune --model base.safetensors --method channel --mode compact --sparsity 0.5 "
      "--round-to 8 --out small.safetensors\n"
      "  edgeprune prune --model base.safetensors --method magnitude --schedule compounding "
      "--sparsity 0.5 --dry-run\n"
      "  edgeprune prune --model base.safetensors --method lamp --schedule exact --sparsity 0.8 "
      "--data cifar10 --epochs 2 --min-accuracy 0.85 --out sparse.safetensors\n"
      "  edgeprune prune --model base.safetensors --method channel-taylor --mode compact "
      "--sparsity 0.3 --data cifar10 --out small.safetensors\n"
      "Fine-tune what was pruned at once with: edgeprune train --model half.safetensors ...");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
