#include <memory>

#include "engine/base/check.h"
#include "engine/base/parallel.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/logit_difference.h"

namespace edgeprune::commands {
namespace {

struct EvalArguments {
  LoadingFlags loading;
  std::string model, split = "test", format = "md";
  DataFlags data;
  std::vector<std::string> engines{"dense"};
  int64_t limit = 0, batch = 100;
  int threads = 1;
  bool strict = false;
};

void run(const EvalArguments& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require(!o.data.location.empty(), "eval", "--data is missing");
  const Checkpoint checkpoint = o.loading.load(o.model);
  const Dataset data =
      o.data.open("eval", value_of("split", kSplits, o.split), sight_of(checkpoint), o.limit);
  std::vector<Column> columns = {
      {"model", "model", Align::left},    {"engine", "engine", Align::left},
      {"split", "split", Align::left},    {"images", "images"},
      {"accuracy %", "accuracy_percent"}, {"loss", "loss"},
      {"ms/image", "ms_per_image"}};
  const bool several = o.engines.size() > 1;
  if (several) {
    const std::string first = o.engines.front();
    columns.push_back({"largest logit difference from " + first, "logit_difference"});
    columns.push_back({"labels changed", "labels_changed"});
    columns.push_back({"of these ties", "ties"});
  }
  Table table(columns);
  Tensor first;
  for (const std::string& engine : o.engines) {
    const Evaluation result = evaluate(*checkpoint.model, checkpoint.info, data,
                                       inference::parse_engine(engine), o.batch);
    std::vector<Cell> row = {o.model,
                             engine,
                             o.split,
                             result.images,
                             Number{100 * result.accuracy, 2},
                             Number{result.loss, 4},
                             Number{result.ms_per_image, 3}};
    if (!first.defined()) {
      first = result.logits;
      report_warning(result.warning, o.strict, say);
    }
    if (several) {
      const LogitDifference difference = compare_logits(first, result.logits);
      row.push_back(fmt::format("{:.1e}", difference.largest));
      row.push_back(difference.labels_changed);
      row.push_back(difference.ties);
    }
    table.add_row(std::move(row));
  }
  print(table, o.format);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand("eval", "Accuracy and loss of a model on a data set");
  auto o = std::make_shared<EvalArguments>();
  add_model(*command, o->model, o->loading);
  o->data.add(*command);
  command
      ->add_option("--engine", o->engines,
                   fmt::format("one or more of {}; several are compared with the first",
                               explained(inference::kEngines)))
      ->delimiter(',')
      ->check(choices(inference::kEngines))
      ->capture_default_str();
  command->add_option("--split", o->split, explained(kSplits))
      ->check(choices(kSplits))
      ->capture_default_str();
  command->add_option("--limit", o->limit, "so many images, of each class in proportion; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--batch", o->batch, "images at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add_strict(*command, o->strict);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune eval --model base.safetensors --data cifar10\n"
      "  edgeprune eval --model pruned.safetensors --data cifar10 --engine dense,sparse --limit "
      "1000");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
