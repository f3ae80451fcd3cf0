#include "tools/sweeps/sensitivity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/pinning.h"
#include "tools/sweeps/sensitivity_tables.h"

namespace edgeprune::commands {
namespace {

constexpr size_t kNamed = 5;

struct SensitivityArguments {
  LoadingFlags loading;
  std::string model, method = "magnitude", folder = "sensitivity", format = "md";
  DataFlags data;
  SensitivityOptions scan;
  std::optional<int64_t> score_images;
  int threads = 1;
  bool pin = false;
};

void draw_map(const HeatMap& map, const std::filesystem::path& folder) {
  try {
    for (const auto& [format, name] : {std::pair(ImageFormat::svg, "sensitivity.svg"),
                                       std::pair(ImageFormat::png, "sensitivity.png")}) {
      write_file_atomically((folder / name).string(), draw(map, format));
      say("plot: " + (folder / name).string());
    }
  } catch (const PlotError& error) {
    say(fmt::format("no plot: {}", error.what()));
  }
}

/// By default half of a small set is tested on, and the others are for batch norm's statistics.
void fit_to_data(SensitivityOptions& options, const Dataset& training, bool given) {
  if (!given) options.images = std::min(options.images, training.size() / 2);
  require(options.images < training.size(), "sensitivity",
          "--limit: cannot hold {} of {} training images out", options.images, training.size());
  const int64_t others = training.size() - options.images;
  options.bn_recalibrate = std::min(options.bn_recalibrate, others);
  options.score_images = std::min(options.score_images, others);
}

void run(const SensitivityArguments& o, bool limit_given) {
  if (o.pin) pin_threads();
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require_usage(!o.data.location.empty(), "sensitivity", "--data is missing");
  SensitivityOptions options = o.scan;
  options.method = parse_method(o.method);
  require_usage(!o.score_images || needs_images(options.method), "sensitivity",
                "--score-images is for --method {}, not {}", methods_that(needs_images), o.method);
  options.score_images = o.score_images.value_or(options.score_images);
  Checkpoint checkpoint = o.loading.load(o.model);
  const Dataset training = o.data.open("sensitivity", Split::train, sight_of(checkpoint));
  fit_to_data(options, training, limit_given);
  require_valid(options, training);
  std::sort(options.levels.begin(), options.levels.end());
  options.levels.erase(std::unique(options.levels.begin(), options.levels.end()),
                       options.levels.end());
  const std::filesystem::path folder = o.folder;
  make_folder(o.folder);
  const std::string log = (folder / "sensitivity.jsonl").string();
  const auto claim = claim_output(log);
  const Sensitivity result = scan_sensitivity(checkpoint, training, options, log);
  const Machine machine = this_machine();
  print_conditions(machine, 1, o.format);
  if (o.format == "md") {
    print(
        fmt::format("Accuracy {:.2f} % unpruned, on {} training images held out from batch "
                    "norm's recalibration (on {}); times of single images on one thread.\n\n",
                    100 * result.accuracy, options.images, options.bn_recalibrate));
    print(sensitivity_table(result), o.format);
  } else {
    print(sensitivity_records(result, o.model, machine), o.format);
  }
  const std::vector<std::string> worst = most_sensitive(result, kNamed);
  if (!worst.empty()) {
    say(fmt::format("these lose most at {:g} %: --keep {}", 100 * options.levels.back(),
                    fmt::join(worst, ",")));
  }
  draw_map(sensitivity_heat_map(result), folder);
}

}  // namespace

void add_sensitivity(CLI::App& app) {
  auto* command = app.add_subcommand(
      "sensitivity", "What pruning each layer alone costs in accuracy and gains in time");
  auto o = std::make_shared<SensitivityArguments>();
  add_model(*command, o->model, o->loading);
  o->data.add(*command);
  command
      ->add_option("--method", o->method,
                   "what goes of each layer by itself: " + explained(kMethods))
      ->check(choices(kMethods))
      ->capture_default_str();
  command
      ->add_option("--levels", o->scan.levels, "parts of the layer to zero, as 0.5,0.9 or 50%,90%")
      ->transform(fraction())
      ->check(positive())
      ->delimiter(',')
      ->capture_default_str();
  command
      ->add_option("--limit", o->scan.images,
                   "training images, held out from --bn-recalibrate, to measure accuracy on (not "
                   "the test set, which must choose nothing); of a small set half by default")
      ->check(positive())
      ->capture_default_str();
  command
      ->add_option("--bn-recalibrate", o->scan.bn_recalibrate,
                   "other training images, for batch norm's statistics after each pruning; 0: "
                   "they stay as they are")
      ->check(images_to_recalibrate_on())
      ->capture_default_str();
  command
      ->add_option("--score-images", o->score_images,
                   fmt::format("of {}: other training images, to measure scores on (default: {}, "
                               "or all if there are fewer)",
                               methods_that(needs_images), kScoreImages))
      ->check(positive());
  add_former_name(*command, "--images", o->scan.images);
  command->add_option("--seed", o->scan.seed, "which images are held out")
      ->check(seed())
      ->capture_default_str();
  command
      ->add_option("--out", o->folder,
                   "folder for sensitivity.jsonl, from which a scan goes on, "
                   "and the pictures")
      ->capture_default_str();
  o->scan.latency.seconds = 1;
  add_measurement(*command, o->scan.latency, o->pin);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune sensitivity --model base.safetensors --data cifar10 --out scan\n"
      "  edgeprune sensitivity --model base.safetensors --data cifar10 --method channel --levels "
      "0.25,0.5 --format csv --out scan-channels\n"
      "Prunes one layer at a time, recalibrates batch norm, does not fine-tune. Layers that lose "
      "much\nare candidates for edgeprune prune --keep. Times are of single images on one thread. "
      "A scan that\nwas stopped goes on when the same command is given again.");
  command->callback(
      [o, command] { run(*o, command->count("--limit") + command->count("--images") > 0); });
}

}  // namespace edgeprune::commands
