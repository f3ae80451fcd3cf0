#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/evaluate.h"
#include "tools/measurement/memory.h"
#include "tools/training/profile_table.h"
#include "tools/training/quantized_training.h"
#include "tools/training/starting_point.h"
#include "tools/training/training_history.h"

namespace edgeprune::commands {
namespace {

struct TrainArguments {
  std::string weights, model, teacher, out, resize, store = "dense", format = "md";
  DataFlags data;
  TrainingFlags training;
  RecoveryFlags recovery;
  int64_t epochs = 15, limit = 0;
  int threads = 1;
  bool resume = false, test_each_epoch = false, profile = false, strict = false, qat = false;
  QuantizationAware calibration;
  std::string observer = "mse";
  std::string network;
  double width = 0;
  LoadingFlags loading;
};

struct TrainingStart {
  Checkpoint model;
  Dataset training, validation;
};

/// Pretrained weights with a new head for the data's classes, or a checkpoint as it is; and the data
/// as that wants them.
TrainingStart open_start(const TrainArguments& o) {
  const uint64_t seed = o.training.options.seed;
  Checkpoint model;
  Wanted wanted{
      .network = o.network, .width = o.width, .input_size = o.loading.input_size, .seed = seed};
  o.loading.foreign.set(wanted);
  std::optional<StartingPoint> weights;
  Sight sight;
  if (!o.model.empty()) {
    model = o.loading.load(o.model);
    sight = sight_of(model);
  } else {
    weights.emplace(weights_or_default(o.weights), wanted);
    sight = {weights->input_size(), weights->resize()};
  }
  if (!o.resize.empty()) sight.resize = parse_resize(o.resize);
  auto [training, validation] =
      o.data.open_training("train", sight, o.limit, o.training.validation, seed);
  if (weights) {
    model = weights->start(training.classes, say);
  } else if (take_class_names(model.info, training)) {
    say(fmt::format("{} names no classes: they are the data's, {}", o.model,
                    fmt::join(training.classes, ", ")));
  }
  model.info.resize = sight.resize;
  take_normalisation(model.info, o.training.options);
  const std::string batches = batch_note(training.size(), o.training.options.batch);
  if (!batches.empty()) say("note: " + batches);
  return {std::move(model), std::move(training), std::move(validation)};
}

/// The training's options with what is asked for to recover accuracy.
TrainOptions training_options(const TrainArguments& o, const ModelInfo& info) {
  Recovery recovery = o.recovery.parse();
  if (recovery.distillation) recovery.teacher = load_teacher(o.teacher, info);
  TrainOptions options = o.training.parse();
  options.epochs = o.epochs;
  if (o.qat) {
    options.qat = o.calibration;
    options.qat->observer = value_of("observer", kObservers, o.observer);
  }
  options = with_recovery(options, recovery, info.history);
  if (options.rewinding) say(describe(*options.rewinding, options.epochs));
  return options;
}

/// By epoch; those of epochs before a resume are read back from the log.
using TestAccuracies = std::map<int64_t, double>;

Table epochs_table(const std::vector<EpochResult>& epochs, const TestAccuracies& test) {
  Table table({{"epoch", "epoch"},
               {"training loss", "training_loss"},
               {"training accuracy %", "training_accuracy_percent"},
               {"validation accuracy %", "validation_accuracy_percent"},
               {"test accuracy %", "test_accuracy_percent"},
               {"seconds", "seconds"},
               {"images/s", "images_per_second"},
               {"loader wait %", "loader_wait_percent"}});
  for (const EpochResult& e : epochs) {
    const auto tested = test.find(e.epoch);
    table.add_row({e.epoch, Number{e.loss, 4}, Number{100 * e.accuracy, 2},
                   e.validation_accuracy ? Cell(Number{100 * *e.validation_accuracy, 2}) : Cell(),
                   tested != test.end() ? Cell(Number{100 * tested->second, 2}) : Cell(),
                   Number{e.seconds, 1}, Number{e.images_per_second, 0},
                   Number{100 * e.loader_wait, 2}});
  }
  return table;
}

/// A log may be overwritten that a training wrote: one that begins with the same columns.
void require_own_log(const std::string& path) {
  if (!std::filesystem::exists(path)) return;
  const std::string columns = epochs_table({}, {}).render(Format::csv);
  const std::vector<char> content = read_file(path);
  require_file(std::string_view(content.data(), content.size()).starts_with(columns), path,
               "is where training logs its epochs, but no training wrote this file: move it away, "
               "or choose another --out");
}

/// Of a log as epochs_table() makes it, the first and the fifth column; a line of anything else is
/// passed over.
TestAccuracies read_test_accuracies(const std::string& path) {
  TestAccuracies test;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, ',');) cells.push_back(cell);
    if (cells.size() < 5) continue;
    const std::string &epoch = cells[0], &percent = cells[4];
    int64_t number = 0;
    double value = 0;
    const auto whole = [](const std::string& text, auto& into) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
      return error == std::errc() && end == text.data() + text.size();
    };
    if (whole(epoch, number) && whole(percent, value)) test[number] = value / 100;
  }
  return test;
}

void run(const TrainArguments& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require_usage(!o.data.location.empty(), "train", "--data is missing");
  require_usage(o.width == 0 || o.model.empty(), "train",
                "--width is for --weights: a --model has the width that it has");
  require_usage(o.network.empty() || o.model.empty(), "train",
                "--network is for --weights: a --model is the network that it is");
  require_usage(
      o.loading.class_names.empty() || !o.model.empty(), "train",
      "--class-names is for --model: a network that starts from --weights has the data's");
  require_usage(o.recovery.distill.empty() == o.teacher.empty(), "train",
                "--distill and --teacher go together");
  require_usage(!o.qat || !o.model.empty(), "train",
                "--qat is for --model: it is the end of a training, not its beginning");
  if (o.qat) require_other_file(o.model, o.out, "train");
  require_usage(
      !o.qat || o.recovery.bn_recalibrate == 0, "train",
      "--qat makes batch norm part of the convolutions: nothing is left to --bn-recalibrate");
  as_usage([&] { require_validation(o.training.options, o.training.validation); });
  const auto claim = claim_output(o.out);
  const std::string log = o.out + ".epochs.csv";
  require_own_log(log);
  auto [start, training, validation] = open_start(o);
  ModelInfo& info = start.info;
  Dataset test;
  if (o.test_each_epoch) test = o.data.open("train", Split::test, sight_of(start));

  TrainOptions options = training_options(o, info);
  if (o.qat) begin_quantized_training(start, training, options);
  nn::Network& model = *start.model;
  const Masks masks = zeros_to_keep(start, say);
  report_warning(dead_layers(model), o.strict, say);
  Profiler profiler;
  if (o.profile) options.profiler = &profiler;
  TestAccuracies test_accuracies;
  const std::string state = o.out + ".state";
  if (o.resume && !std::filesystem::exists(state) && std::filesystem::exists(o.out)) {
    say(fmt::format(
        "note: there is no {} to go on from: training begins anew (to train {} further: "
        "--model {})",
        state, o.out, o.out));
  }
  if (o.resume && std::filesystem::exists(state)) test_accuracies = read_test_accuracies(log);
  const TrainResult result = train(
      model, info, training, o.training.validation > 0 ? &validation : nullptr, masks, options,
      {state, o.resume,
       [&](const std::vector<EpochResult>& epochs) {
         write_file_atomically(log, epochs_table(epochs, test_accuracies).render(Format::csv));
       }},
      [&](const EpochResult& e) {
        std::string warning = e.warning;
        std::string line = fmt::format("epoch {}/{}: loss {:.4f}, training accuracy {:.2f} %",
                                       e.epoch, options.epochs, e.loss, 100 * e.accuracy);
        if (e.validation_accuracy)
          line += fmt::format(", validation {:.2f} %", 100 * *e.validation_accuracy);
        if (o.test_each_epoch) {
          const Evaluation tested = evaluate_in_training(model, info, test);
          test_accuracies[e.epoch] = tested.accuracy;
          warning = tested.warning;
          line += fmt::format(", test {:.2f} %", 100 * tested.accuracy);
        }
        say(line + fmt::format(", {:.0f} images/s", e.images_per_second));
        report_warning(warning, o.strict, say);
      });
  if (o.test_each_epoch && options.bn_recalibrate > 0) {
    const double accuracy = evaluate(model, info, test, inference::Engine::dense).accuracy;
    say(fmt::format("batch norm recalibrated on {} images: test {:.2f} %",
                    std::min(options.bn_recalibrate, training.size()), 100 * accuracy));
  }
  info.history.push_back(training_step(options, result, start.sha256, training,
                                       o.training.validation > 0 ? &validation : nullptr));
  if (o.qat) end_quantized_training(model, info);
  save_checkpoint(o.out, model, info, parse_storage(o.store));
  std::filesystem::remove(state);
  if (std::ssize(result.epochs) < options.epochs) {
    say(fmt::format(
        "stopped after epoch {} of {}: no better on the validation images since epoch {}",
        result.epochs.size(), options.epochs, result.chosen_epoch));
  }
  say(fmt::format(
      "{}: weights of epoch {}, {:.1f} minutes of training, {:.2f} GB of memory at most", o.out,
      result.chosen_epoch, result.seconds / 60, 1e-9 * double(peak_memory())));
  if (o.profile && result.steady.count > 0) {
    say(profile_summary(result.steady));
    print(profile_table(profiler, result.steady), o.format);
    return;
  }
  if (o.profile) say(fmt::format("no profile: no step behind the {} of warm-up", kWarmUpSteps));
  print(epochs_table(result.epochs, test_accuracies), o.format);
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command =
      app.add_subcommand("train", "Train, or fine-tune a pruned model (its zeros stay zero)");
  auto o = std::make_shared<TrainArguments>();
  o->data.add(*command);
  add_resize(*command, o->resize);
  add_weights(*command, o->weights);
  command->add_option("--model", o->model, "checkpoint to train further, instead of --weights")
      ->excludes("--weights");
  add_network(*command, o->network);
  add_width(*command, o->width);
  o->loading.add(*command);
  add_strict(*command, o->strict);
  command
      ->add_option(
          "--out", o->out,
          "checkpoint to write; beside it OUT.state until then, and OUT.epochs.csv, a line an "
          "epoch")
      ->required();
  command->add_option("--epochs", o->epochs)
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  o->training.add(*command);
  o->training.add_of_new_networks(*command);
  o->recovery.add(*command);
  auto* qat = command->add_flag(
      "--qat", o->qat,
      "train on for 8-bit integers: weights and maps are rounded in every step, OUT is a quantised "
      "model (Jacob et al. 2018). Unless given: --lr 1e-5 --lr-schedule cosine");
  command
      ->add_option("--calibrate", o->calibration.images,
                   "training images by which --qat lays the maps' grids before it begins")
      ->needs(qat)
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      ->add_option(
          "--observer", o->observer,
          "of --qat, which part of a map's values its grid spans: " + explained(kObservers))
      ->needs(qat)
      ->check(choices(kObservers))
      ->capture_default_str();
  command->add_option("--teacher", o->teacher, "checkpoint for --distill: the dense baseline");
  command
      ->add_option("--limit", o->limit,
                   "train on so many images, of each class in proportion; 0: all")
      ->check(not_negative())
      ->capture_default_str();
  command->add_flag("--test-each-epoch", o->test_each_epoch,
                    "report accuracy on the test set, too");
  command->add_flag("--profile", o->profile,
                    "print where the time of this run's steps went, the first two left out, by "
                    "operation, instead of the epochs; 'loader' is waiting for batches");
  command->add_flag(
      "--resume", o->resume,
      "go on from OUT.state, if there is one; at a constant learning rate --epochs may be more "
      "than before");
  add_threads(*command, o->threads);
  add_store(*command, o->store);
  add_format(*command, o->format);
  command->footer(
      "Examples:\n"
      "  edgeprune train --data cifar10 --weights mobilenet_v2.pth --out base.safetensors\n"
      "  edgeprune train --data cifar10 --model pruned.safetensors --out tuned.safetensors "
      "--epochs 5\n"
      "  edgeprune train --data cifar10 --model pruned.safetensors --out tuned.safetensors "
      "--epochs 5 --rewind --bn-recalibrate 2000 --distill 4,0.5 --teacher base.safetensors\n"
      "  edgeprune train --data cifar10 --model tuned.safetensors --qat --epochs 2 --out "
      "int8.safetensors\n"
      "  edgeprune train --data parts --weights mobilenet_v2.pth --out parts.safetensors --epochs "
      "50 "
      "--val-split 100 --patience 8 --class-weights balanced --rotation 10 --colour 0.2\n"
      "  edgeprune train --data synthetic --weights random --out toy.safetensors --epochs 3");
  command->callback([o, command] {
    if (o->qat) o->training.default_to_qat(*command);
    run(*o);
  });
}

}  // namespace edgeprune::commands
