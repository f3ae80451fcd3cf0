#include "tools/commands/prune_options.h"

#include "engine/base/check.h"

namespace edgeprune::commands {
namespace {

constexpr PruningSchedule kDefaultSchedule = PruningSchedule::one_shot;

void add_what_goes(CLI::App& command, PruneOptions& o) {
  command.add_option("--method", o.method, explained(kMethods))
      ->required()
      ->check(choices(kMethods));
  command
      .add_option("--sparsity", o.sparsity,
                  "target: part of the prunable weights (of each layer's or group's channels), as "
                  "0.5 or 50%")
      ->transform(fraction())
      ->required();
  command
      .add_option("--score-images", o.score_images,
                  fmt::format("of {}: training images (--data) to measure scores on, as --seed "
                              "draws them (default: {}, or all if there are fewer)",
                              methods_that(needs_images), kScoreImages))
      ->check(positive());
  command.add_option("--mode", o.mode, "what becomes of channels: " + explained(kPruneModes))
      ->check(choices(kPruneModes))
      ->capture_default_str();
  command.add_option("--block", o.block, "which weights go together: " + explained(kWeightBlocks))
      ->check(choices(kWeightBlocks))
      ->capture_default_str();
  command
      .add_option("--round-to", o.groups.round_to,
                  "groups keep a multiple of so many channels (8 or 16 suit the kernels), unless "
                  "they have no more than that")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--min-channels", o.groups.min_channels, "groups keep at least so many")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  distinct(command.add_option(
               "--keep", o.limits.keep,
               "layers left alone, as features.0.0,classifier.1 (edgeprune info lists them)"))
      ->delimiter(',');
  command
      .add_option("--min-density", o.limits.min_density,
                  "every layer keeps at least this part of its weights (of its or its group's "
                  "channels), as 0.1 or 10%")
      ->transform(fraction(true))
      ->capture_default_str();
}

void add_when(CLI::App& command, PruneOptions& o) {
  command
      .add_option("--schedule", o.schedule,
                  fmt::format("at once, or in steps with fine-tuning after each: {}. Default: {}",
                              explained(kPruningSchedules), to_string(kDefaultSchedule)))
      ->check(choices(kPruningSchedules));
  const auto* step =
      command.add_option("--step", o.steps.step, "of exact and compounding, as 0.1 or 10%")
          ->transform(fraction())
          ->capture_default_str();
  const auto* steps = command.add_option("--steps", o.steps.cubic_steps, "of cubic: how many")
                          ->check(CLI::Range(1, 1000))
                          ->capture_default_str();
  command.parse_complete_callback([&o, step, steps] {
    const PruningSchedule schedule = o.parsed_schedule();
    require_usage(step->count() == 0 || schedule == PruningSchedule::exact ||
                      schedule == PruningSchedule::compounding,
                  "prune", "--step is for --schedule exact and compounding, not {}",
                  to_string(schedule));
    require_usage(steps->count() == 0 || schedule == PruningSchedule::cubic, "prune",
                  "--steps is for --schedule cubic, not {}", to_string(schedule));
  });
}

void add_fine_tuning(CLI::App& command, PruneOptions& o) {
  o.data.add(command);
  command
      .add_option("--epochs", o.epochs,
                  "of fine-tuning after each step (default: 0 for one-shot, else 2)")
      ->check(CLI::Range(0, 1'000'000));
  o.training.add(command);
  command
      .add_option("--limit", o.limit,
                  "train on so many images, of each class in proportion; 0: all")
      ->check(not_negative())
      ->capture_default_str();
  o.recovery.add(command);
  command.add_option("--teacher", o.teacher,
                     "checkpoint of the dense baseline for --distill (default: --model, if that is "
                     "not pruned)");
  command
      .add_option("--min-accuracy", o.min_accuracy,
                  "stop before the accuracy on training images held out falls below this "
                  "(0.85 or 85%), with the last model that is not as the result")
      ->transform(fraction(true));
  command
      .add_option("--val-split", o.validation,
                  "training images held out, on which accuracy is taken; 0: it is taken on the "
                  "test set (default: with --min-accuracy a tenth, 5000 at most, else 0)")
      ->check(not_negative());
  command.add_flag("--resume", o.resume, "go on from OUT.steps, if there is one");
  add_threads(command, o.threads);
}

}  // namespace

void PruneOptions::add(CLI::App& command) {
  add_model(command, model, loading);
  add_what_goes(command, *this);
  add_when(command, *this);
  add_fine_tuning(command, *this);
  command.add_option("--out", out,
                     "checkpoint to write; OUT.steps, OUT.step1 ... beside it until then");
  command.add_flag("--dry-run", dry_run, "only say what would go, step by step and layer by layer");
  add_strict(command, strict);
  add_store(command, store);
  add_format(command, format);
}

PruningSchedule PruneOptions::parsed_schedule() const {
  return schedule.empty() ? kDefaultSchedule : parse_pruning_schedule(schedule);
}

Trajectory PruneOptions::parse() const {
  Trajectory trajectory;
  PruneAndTune& each = trajectory.each;
  each.prune.method = parse_method(method);
  each.prune.mode = parse_prune_mode(mode);
  each.prune.block = parse_block(block);
  each.prune.limits = limits;
  each.prune.groups = groups;
  each.schedule = parsed_schedule();
  each.recovery = recovery.parse();
  each.training = training.parse();
  const bool at_once = each.schedule == PruningSchedule::one_shot;
  each.strict = strict;
  each.training.epochs = epochs.value_or(at_once ? 0 : 2);
  require_usage(!score_images || needs_images(each.prune.method), "prune",
                "--score-images is for --method {}, not {}", methods_that(needs_images), method);
  require_usage(!needs_images(each.prune.method) || !data.location.empty(), "prune",
                "--data is missing: method {} measures its scores on training images", method);
  each.score_images = score_images.value_or(kScoreImages);
  require_usage(each.prune.block == WeightBlock::one || !is_structured(each.prune.method), "prune",
                "--block {} is for methods that take weights, not for --method {}", block, method);
  const bool grouped = each.prune.mode != PruneMode::mask;
  require_usage(!grouped || is_structured(each.prune.method), "prune",
                "--mode {} is for --method {}, not {}", mode, methods_that(is_structured), method);
  require_usage(grouped || (groups.round_to == 1 && groups.min_channels == 1), "prune",
                "--round-to and --min-channels are for --mode group-mask and compact");
  require_usage(each.training.epochs > 0 || (!each.recovery.rewind && !each.recovery.distillation),
                "prune", "--rewind and --distill are for fine-tuning: give --epochs");
  require_usage(each.recovery.distillation || teacher.empty(), "prune",
                "--teacher is for --distill");
  require_usage(min_accuracy == 0 || validation != 0, "prune",
                "--min-accuracy wants images held out (--val-split above 0): the test set chooses "
                "nothing");
  as_usage(
      [&] { trajectory.steps = pruning_steps(each.schedule, each.prune.method, sparsity, steps); });
  trajectory.min_accuracy = min_accuracy;
  trajectory.state = out;
  trajectory.resume = resume;
  return trajectory;
}

bool PruneOptions::uses_data() const {
  const Trajectory trajectory = parse();
  return trajectory.each.training.epochs > 0 || trajectory.each.recovery.bn_recalibrate > 0 ||
         min_accuracy > 0 || validation.value_or(0) > 0;
}

}  // namespace edgeprune::commands
