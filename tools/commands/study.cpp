#include "tools/study/study.h"

#include <fmt/ranges.h>

#include <memory>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/commands/write_report.h"
#include "tools/study/plan_file.h"
#include "tools/study/study_table.h"
#include "tools/training/starting_point.h"

namespace edgeprune::commands {
namespace {

struct StudyArguments {
  StudyOptions study;
  DataFlags data;
  std::string resize, network;
  TrainingFlags training;
  RecoveryFlags recovery;
  std::string plan = "original", format = "md";
  bool quick = false, dry_run = false, remeasure = false;
};

/// Flags go before what the plan says, but only those that were given.
StudyPlan chosen_plan(const StudyArguments& o, const CLI::App& command) {
  StudyPlan plan = load_plan(o.quick ? "quick" : o.plan);
  o.training.overrule(command, plan.training, plan.validation_images);
  if (!o.network.empty()) plan.network = o.network;
  const Recovery recovery = o.recovery.parse();
  for (Experiment& experiment : plan.experiments) {
    if (experiment.recovery.to_string().empty()) experiment.recovery = recovery;
  }
  as_usage([&] {
    require_consistent(plan);
    if (!o.network.empty()) require_feasible(plan);
  });
  return plan;
}

void print_plan(const StudyArguments& o, const StudyPlan& plan) {
  std::optional<int64_t> images;
  if (!o.data.location.empty()) {
    images = o.data.open("study", Split::train, {}).size() - plan.validation_images;
  } else if (plan.train_images == 0 || plan.finetune_images == 0) {
    say("images to train are not known: --data is missing");
  }
  const std::string about = plan.description.empty() ? "" : ": " + plan.description;
  say(fmt::format("plan {}{}", plan.name, about));
  print(steps_table(study_steps(plan, o.study.seeds), epoch_images(plan, images)), o.format);
}

void run(const StudyArguments& o, const CLI::App& command) {
  const InterruptGuard guard;
  StudyArguments own = o;
  StudyOptions& study = own.study;
  if (command.count("--seed") > 0) study.seeds = {o.training.options.seed};
  const StudyPlan plan = chosen_plan(own, command);
  if (o.dry_run) return print_plan(own, plan);
  require_usage(!study.folder.empty(), "study", "--out is missing (or ask for a --dry-run)");
  const ThreadScope threads(study.threads);
  const ThreadNotes notes(study.threads);
  if (o.remeasure) {
    remeasure_study(plan, study, say);
  } else {
    require_usage(!o.data.location.empty(), "study", "--data is missing");
    study.data = o.data.location;
    study.skip_bad_images = o.data.skip_bad_images;
    study.weights = weights_or_default(study.weights);
    const Wanted wanted{
        .network = plan.network, .width = study.width, .input_size = study.input_size};
    study.resize =
        o.resize.empty() ? StartingPoint(study.weights, wanted).resize() : parse_resize(o.resize);
    run_study(plan, study, say);
  }
  write_report(study.folder, o.format);
}

}  // namespace

void add_study(CLI::App& app) {
  auto* command = app.add_subcommand(
      "study", "Train a baseline, prune it as a plan says, fine-tune, measure, report");
  auto o = std::make_shared<StudyArguments>();
  auto* plan = command
                   ->add_option("--plan", o->plan,
                                fmt::format("{}, or a file (tools/study/plans/README.md)",
                                            fmt::join(built_in_plans(), ", ")))
                   ->capture_default_str();
  command
      ->add_flag("--quick", o->quick,
                 "--plan quick: minutes instead of hours, on parts of the data")
      ->excludes(plan);
  o->data.add(*command);
  add_resize(*command, o->resize);
  add_weights(*command, o->study.weights);
  add_network(*command, o->network);
  add_width(*command, o->study.width);
  add_input_size(*command, o->study.input_size);
  add_strict(*command, o->study.strict);
  command->add_option("--out", o->study.folder, "folder for models, runs.jsonl, tables and plots");
  command->add_flag("--resume", o->study.resume,
                    "go on with the study in the folder, if there is one");
  command->add_flag("--dry-run", o->dry_run, "only print the plan's steps and what they cost");
  command->add_flag("--remeasure", o->remeasure,
                    "train nothing: measure the latency of all finished rows anew, as on a quieter "
                    "machine");
  o->training.add(*command);
  o->training.add_of_new_networks(*command);
  distinct(command->add_option(
               "--seeds", o->study.seeds,
               "repeat everything for each of several seeds, as 0,1,2; more can be added later"))
      ->delimiter(',')
      ->check(seed())
      ->excludes("--seed");
  o->recovery.add(*command);
  add_threads(*command, o->study.threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune study --data cifar10 --weights mobilenet_v2.pth --out quick --quick\n"
      "  edgeprune study --data cifar10 --weights mobilenet_v2.pth --out full --resume\n"
      "  edgeprune study --plan extended --data cifar10 --dry-run\n"
      "  edgeprune study --quick --network resnet18 --data cifar10 --weights resnet18.pth --out "
      "other\n"
      "  edgeprune study --plan mine.json --data cifar10 --weights mobilenet_v2.pth --out mine "
      "--seeds 0,1,2\n"
      "A study killed at any moment goes on with --resume and repeats no finished run. Flags about "
      "training go before what the plan says of it; flags about recovery are for all experiments "
      "that ask for none of their own.");
  command->callback([o, command] { run(*o, *command); });
}

}  // namespace edgeprune::commands
