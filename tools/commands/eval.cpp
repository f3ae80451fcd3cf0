#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "engine/inference/assignment.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/logit_difference.h"
#include "tools/measurement/saturations.h"
#include "tools/plots/heat_map.h"

namespace edgeprune::commands {
namespace {

constexpr size_t kNamedColumns = 12;  ///< of a picture; further classes are numbered

struct EvalArguments {
  LoadingFlags loading;
  std::string model, split = "test", format = "md";
  DataFlags data;
  std::vector<std::string> engines{"dense"};
  int64_t limit = 0, batch = 100;
  int threads = 1;
  bool strict = false, per_class = false, saturations = false;
  std::string confusion, positive;
  double threshold = NAN;
};

std::optional<Threshold> threshold_of(const EvalArguments& o,
                                      const std::vector<std::string>& classes) {
  if (o.positive.empty()) return std::nullopt;
  require(classes.size() == 2, "eval", "--threshold is for two classes, {} has {}", o.model,
          classes.size());
  const auto found = std::ranges::find(classes, o.positive);
  require(found != classes.end(), "eval", "--positive: expected '{}' or '{}', got '{}'", classes[0],
          classes[1], o.positive);
  return Threshold{static_cast<int>(found - classes.begin()), o.threshold};
}

/// Names under the columns that do not run into each other: words below each other, every other name
/// lower, or, if there are many, numbers.
std::string below_column(const std::vector<std::string>& names, size_t c) {
  if (names.size() > kNamedColumns) return std::to_string(c);
  std::string text = c % 2 == 1 ? "\n" + names[c] : names[c];
  for (int breaks = 0; breaks < 2; ++breaks) {
    const size_t space = text.find(' ');
    if (space != std::string::npos) text[space] = '\n';
  }
  return text;
}

/// Shares of each class's images, so that rare classes are seen as well as frequent ones.
HeatMap picture_of(const Confusion& confusion, const std::string& model) {
  HeatMap map{.title = "What the images of each class are called",
              .subtitle = fmt::format("{}: {} images, accuracy {:.2f} %, percent of each row",
                                      model, confusion.images(), 100 * confusion.accuracy()),
              .x_label = "called",
              .remark_heading = "images",
              .shade = Shade::share};
  const bool many = confusion.classes().size() > kNamedColumns;
  for (size_t l = 0; l < confusion.classes().size(); ++l) {
    const int64_t all = confusion.images_of(l);
    const std::string& name = confusion.classes()[l];
    map.columns.push_back(below_column(confusion.classes(), l));
    HeatMap::Row row{.name = many ? fmt::format("{} {}", l, name) : name,
                     .remark = std::to_string(all)};
    for (size_t p = 0; p < confusion.classes().size(); ++p) {
      row.ratios.push_back(all > 0 ? double(confusion.count(l, p)) / double(all) : NAN);
    }
    map.rows.push_back(std::move(row));
  }
  return map;
}

/// The extension decides: a picture, or the counts as a table.
constexpr const char* kConfusionExtensions = ".svg, .png, .md, .csv or .json";

void check_confusion(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  const auto known = {".svg", ".png", ".md", ".csv", ".json"};
  require(std::ranges::find(known, extension) != known.end(), "eval",
          "expected a file ending in {}, got '{}'", kConfusionExtensions, path);
}

void write_confusion(const std::string& path, const Confusion& confusion,
                     const std::string& model) {
  const std::string extension = std::filesystem::path(path).extension();
  const bool svg = extension == ".svg";
  if (svg || extension == ".png") {
    write_file_atomically(
        path, draw(picture_of(confusion, model), svg ? ImageFormat::svg : ImageFormat::png));
  } else {
    write_file_atomically(path, confusion.matrix_table().render(parse_format(extension.substr(1))));
  }
}

Cell percent_or_empty(const std::optional<double>& fraction) {
  return fraction ? Cell(Number{100 * *fraction, 2}) : Cell();
}

void run(const EvalArguments& o, bool engines_given) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require_usage(!o.data.location.empty(), "eval", "--data is missing");
  require_usage(std::isnan(o.threshold) == o.positive.empty(), "eval",
                "--threshold and --positive go together");
  if (o.saturations && engines_given) {
    require_usage(o.engines.size() == 1 && in_integers(inference::parse_engine(o.engines.front())),
                  "eval", "--saturations is about one engine, int8 or int8-sparse, got {}",
                  fmt::join(o.engines, ","));
  }
  const auto claim = o.confusion.empty() ? nullptr : claim_output(o.confusion);
  const Checkpoint checkpoint = o.loading.load(o.model, true);
  const std::vector<std::string> engines = engines_for(checkpoint, engines_given, o.engines);
  if (!o.saturations) {  // all of them before the first runs for minutes and its row is lost
    const inference::Graph graph = inference_graph(*checkpoint.model, checkpoint.info);
    for (const std::string& engine : engines) {
      require_can_run(inference::parse_engine(engine), graph);
    }
  }
  const Dataset data =
      o.data.open("eval", value_of("split", kSplits, o.split), sight_of(checkpoint), o.limit);
  const std::optional<Threshold> threshold = threshold_of(o, data.classes);
  std::vector<Column> columns = {{"model", "model", Align::left},
                                 {"engine", "engine", Align::left},
                                 {"split", "split", Align::left},
                                 {"images", "images"},
                                 {"accuracy %", "accuracy_percent"},
                                 {"balanced %", "balanced_accuracy_percent"},
                                 {"least recall %", "worst_recall_percent"},
                                 {"of class", "worst_class", Align::left},
                                 {"loss", "loss"},
                                 {"ms/image", "ms_per_image"}};
  if (o.saturations) {
    const auto layers = count_saturations(*checkpoint.model, checkpoint.info, data,
                                          inference::parse_engine(engines.front()));
    print(saturation_table(layers), o.format);
    return;
  }
  const bool several = engines.size() > 1;
  if (several) {
    const std::string first = engines.front();
    columns.push_back({"largest logit difference from " + first, "logit_difference"});
    columns.push_back({"labels changed", "labels_changed"});
    columns.push_back({"of these ties", "ties"});
  }
  Table table(columns);
  Tensor first;
  std::optional<Confusion> confusion;  // of the first engine, as the warning is
  for (const std::string& engine : engines) {
    const Evaluation result = evaluate(*checkpoint.model, checkpoint.info, data,
                                       inference::parse_engine(engine), o.batch, threshold);
    const auto worst = result.confusion.worst();
    std::vector<Cell> row = {o.model,
                             engine,
                             o.split,
                             result.images,
                             Number{100 * result.accuracy, 2},
                             percent_or_empty(result.confusion.balanced_accuracy()),
                             percent_or_empty(result.confusion.recall(worst.value_or(0))),
                             worst ? Cell(data.classes[*worst]) : Cell(),
                             Number{result.loss, 4},
                             Number{result.ms_per_image, 3}};
    if (!first.defined()) {
      first = result.logits;
      confusion = result.confusion;
      report_warning(result.warning, o.strict, say);
    }
    if (several) {
      const LogitDifference difference = compare_logits(first, result.logits);
      row.push_back(
          Structured{fmt::format("{:.1e}", difference.largest), double(difference.largest)});
      row.push_back(difference.labels_changed);
      row.push_back(difference.ties);
    }
    table.add_row(std::move(row));
  }
  print(o.per_class ? confusion->class_table() : table, o.format);
  if (!o.confusion.empty()) write_confusion(o.confusion, *confusion, o.model);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* command = app.add_subcommand("eval", "Accuracy and loss of a model on a data set");
  auto o = std::make_shared<EvalArguments>();
  add_model(*command, o->model, o->loading);
  o->data.add(*command);
  auto* engines = add_engines(
      *command, o->engines,
      "; several are compared with the first (default: dense, of a quantised model int8)");
  command->add_option("--split", o->split, explained(kSplits))
      ->check(choices(kSplits))
      ->capture_default_str();
  command->add_option("--limit", o->limit, "so many images, of each class in proportion; 0: all")
      ->check(not_negative())
      ->capture_default_str();
  command->add_option("--batch", o->batch, "images at a time")
      ->check(positive())
      ->capture_default_str();
  command->add_flag("--per-class", o->per_class,
                    "print images, recall, precision and F1 of each class instead, by the first "
                    "engine");
  auto* saturations = command->add_flag(
      "--saturations", o->saturations,
      "of a quantised model print instead, by layer, how near its sums come to the end of 32 bits, "
      "how many outputs of the kernels differ from those of wide integers, and how many values "
      "lie beyond the layer's grid and are cut: slow, see --limit");
  command
      ->add_option(
          "--confusion", o->confusion,
          fmt::format("write what the images of each class are called, by the first engine: a "
                      "file ending in {}",
                      kConfusionExtensions))
      ->check(parsed_by(check_confusion));
  command
      ->add_option("--threshold", o->threshold,
                   "of two classes: call an image --positive if that class's probability is so "
                   "much at least, instead of if it is the larger one")
      ->transform(fraction(true));
  command->add_option("--positive", o->positive, "name of the class that --threshold is for");
  add_strict(*command, o->strict);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  saturations->excludes("--per-class", "--confusion", "--threshold");
  command->footer(
      "Examples:\n"
      "  edgeprune eval --model base.safetensors --data cifar10\n"
      "  edgeprune eval --model int8.safetensors --data cifar10 --saturations --limit 1000\n"
      "  edgeprune eval --model pruned.safetensors --data cifar10 --engine dense,sparse --limit "
      "1000\n"
      "  edgeprune eval --model ok_defect.safetensors --data parts --per-class --positive defect "
      "--threshold 0.2\n"
      "  edgeprune eval --model base.safetensors --data cifar10 --confusion confusion.svg");
  command->callback([o, engines] { run(*o, engines->count() > 0); });
}

}  // namespace edgeprune::commands
