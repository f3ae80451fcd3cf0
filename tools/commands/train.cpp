#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>

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
#include "tools/training/starting_point.h"
#include "tools/training/training_history.h"

namespace edgeprune::commands {
namespace {

struct TrainArguments {
  std::string weights, model, teacher, out, resize, store = "dense", format = "md";
  DataFlags data;
  TrainingFlags training;
  RecoveryFlags recovery;
  int64_t epochs = 15, validation = 0, limit = 0;
  int threads = 1;
  bool resume = false, test_each_epoch = false, profile = false, strict = false;
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
  const Wanted wanted{.width = o.width, .input_size = o.loading.input_size, .seed = seed};
  const std::string weights = o.model.empty() ? weights_or_default(o.weights) : "";
  Sight sight;
  if (!o.model.empty()) {
    model = o.loading.load(o.model);
    sight = sight_of(model);
  } else {
    require(o.loading.class_names.empty(), "train",
            "--class-names is for --model: a network that starts from --weights has the data's");
    std::tie(sight.input_size, sight.resize) = images_of_weights(weights, wanted);
  }
  if (!o.resize.empty()) sight.resize = parse_resize(o.resize);
  auto [training, validation] = o.data.open_training("train", sight, o.limit, o.validation, seed);
  if (!model.model) {
    model = start_from_weights(weights, training.classes, wanted, say);
  } else if (take_class_names(model.info, training)) {
    say(fmt::format("{} names no classes: they are the data's, {}", o.model,
                    fmt::join(training.classes, ", ")));
  }
  model.info.resize = sight.resize;
  const std::string batches = batch_note(training.size(), o.training.options.batch);
  if (!batches.empty()) say("note: " + batches);
  return {std::move(model), std::move(training), std::move(validation)};
}

/// The training's options with what is asked for to recover accuracy.
TrainOptions training_options(const TrainArguments& o, const ModelInfo& info) {
  Recovery recovery = o.recovery.parse();
  require(recovery.distillation.has_value() == !o.teacher.empty(), "train",
          "--distill and --teacher go together");
  if (recovery.distillation) recovery.teacher = load_teacher(o.teacher, info);
  TrainOptions options = o.training.parse();
  options.epochs = o.epochs;
  options = with_recovery(options, recovery, info.history);
  if (options.rewinding) say(describe(*options.rewinding, options.epochs));
  return options;
}

Table epochs_table(const std::vector<EpochResult>& epochs, const std::vector<double>& test) {
  Table table({{"epoch", "epoch"},
               {"training loss", "training_loss"},
               {"training accuracy %", "training_accuracy_percent"},
               {"validation accuracy %", "validation_accuracy_percent"},
               {"test accuracy %", "test_accuracy_percent"},
               {"seconds", "seconds"},
               {"images/s", "images_per_second"},
               {"loader wait %", "loader_wait_percent"}});
  for (size_t i = 0; i < epochs.size(); ++i) {
    const EpochResult& e = epochs[i];
    // After a resume the test accuracies of the epochs before are not known: those of the last
    // epochs are.
    const size_t known = epochs.size() - test.size();
    table.add_row({e.epoch, Number{e.loss, 4}, Number{100 * e.accuracy, 2},
                   e.validation_accuracy ? Cell(Number{100 * *e.validation_accuracy, 2}) : Cell(),
                   i >= known ? Cell(Number{100 * test[i - known], 2}) : Cell(),
                   Number{e.seconds, 1}, Number{e.images_per_second, 0},
                   Number{100 * e.loader_wait, 2}});
  }
  return table;
}

void run(const TrainArguments& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  const ThreadNotes notes(o.threads);
  require(!o.data.location.empty(), "train", "--data is missing");
  require(o.width == 0 || o.model.empty(), "train",
          "--width is for --weights: a --model has the width that it has");
  require_writable(o.out);
  auto [start, training, validation] = open_start(o);
  MobileNetV2& model = *start.model;
  ModelInfo& info = start.info;
  Dataset test;
  if (o.test_each_epoch) test = o.data.open("train", Split::test, sight_of(start));

  TrainOptions options = training_options(o, info);
  const Masks masks = zeros_to_keep(start, say);
  report_warning(dead_layers(model), o.strict, say);
  Profiler profiler;
  if (o.profile) options.profiler = &profiler;
  std::vector<double> test_accuracies;
  const std::string state = o.out + ".state";
  if (o.resume && !std::filesystem::exists(state) && std::filesystem::exists(o.out)) {
    say(fmt::format(
        "note: there is no {} to go on from: training begins anew (to train {} further: "
        "--model {})",
        state, o.out, o.out));
  }
  const TrainResult result =
      train(model, info, training, o.validation > 0 ? &validation : nullptr, masks, options,
            {state, o.resume}, [&](const EpochResult& e) {
              std::string warning = e.warning;
              std::string line = fmt::format("epoch {}/{}: loss {:.4f}, training accuracy {:.2f} %",
                                             e.epoch, options.epochs, e.loss, 100 * e.accuracy);
              if (e.validation_accuracy)
                line += fmt::format(", validation {:.2f} %", 100 * *e.validation_accuracy);
              if (o.test_each_epoch) {
                const Evaluation tested = evaluate(model, info, test, inference::Engine::dense);
                test_accuracies.push_back(tested.accuracy);
                warning = tested.warning;
                line += fmt::format(", test {:.2f} %", 100 * test_accuracies.back());
              }
              say(line + fmt::format(", {:.0f} images/s", e.images_per_second));
              report_warning(warning, o.strict, say);
            });
  if (o.test_each_epoch && options.bn_recalibrate > 0) {
    const double accuracy = evaluate(model, info, test, inference::Engine::dense).accuracy;
    say(fmt::format("batch norm recalibrated on {} images: test {:.2f} %",
                    std::min(options.bn_recalibrate, training.size()), 100 * accuracy));
  }
  info.history.push_back(training_step(options, result, start.sha256));
  save_checkpoint(o.out, model, info, parse_storage(o.store));
  std::filesystem::remove(state);
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
  add_width(*command, o->width);
  o->loading.add(*command);
  add_strict(*command, o->strict);
  command->add_option("--out", o->out, "checkpoint to write; OUT.state beside it until then")
      ->required();
  command->add_option("--epochs", o->epochs)
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  o->training.add(*command);
  o->recovery.add(*command);
  command->add_option("--teacher", o->teacher, "checkpoint for --distill: the dense baseline");
  command
      ->add_option(
          "--val-split", o->validation,
          "training images held out, of each class in proportion, on which the best epoch is "
          "chosen; 0: the last epoch")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--limit", o->limit,
                   "train on so many images, of each class in proportion; 0: all")
      ->check(CLI::NonNegativeNumber)
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
      "  edgeprune train --data synthetic --weights random --out toy.safetensors --epochs 3");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
