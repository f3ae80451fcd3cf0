#include "tools/experiment/study.h"

#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/commands/write_report.h"

namespace edgeprune::commands {
namespace {

struct Options {
  StudyOptions study;
  TrainingFlags training;
  bool quick = false;
  std::string format = "md";
};

void run(const Options& o) {
  const InterruptGuard guard;
  StudyOptions study = o.study;
  require(!study.data.empty(), "study", "--data is missing");
  study.weights = weights_or_default(study.weights);
  study.training = o.training.parse();
  const ThreadScope threads(study.threads);
  warn_of_surplus_threads(study.threads);
  run_study(o.quick ? quick_plan() : document_plan(), study, say);
  write_report(study.folder, o.format);
}

}  // namespace

void add_study(CLI::App& app) {
  auto* command = app.add_subcommand(
      "study", "Train a baseline, prune it by both heuristics, fine-tune, measure, report");
  auto o = std::make_shared<Options>();
  add_data(*command, o->study.data);
  add_weights(*command, o->study.weights);
  command->add_option("--out", o->study.folder, "folder for models, runs.jsonl, tables and plots")
      ->required();
  command->add_flag("--quick", o->quick,
                    "minutes instead of hours: parts of the data, fewer steps");
  command->add_flag("--resume", o->study.resume,
                    "go on with the study in the folder, if there is one");
  o->training.add(*command);
  add_threads(*command, o->study.threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune study --data cifar10 --weights mobilenet_v2.pth --out quick --quick\n"
      "  edgeprune study --data cifar10 --weights mobilenet_v2.pth --out full --resume\n"
      "A study killed at any moment goes on with --resume and repeats no finished run.");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
