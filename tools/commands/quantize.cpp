#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/parallel.h"
#include "models/calibration/calibrate.h"
#include "models/checkpoint.h"
#include "tools/cli/interrupt.h"
#include "tools/commands/commands.h"
#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/measurement/evaluate.h"
#include "tools/training/calibration.h"

namespace edgeprune::commands {
namespace {

struct QuantizeArguments {
  LoadingFlags loading;
  std::vector<std::string> keep;
  std::string model, out, observer = "mse", store = "dense", format = "md";
  DataFlags data;
  int64_t images = 512, test = 2000;
  uint64_t seed = 0;
  bool equalize = false, keep_biases = false;
  int threads = 1;
};

/// The layers of these names, and those below them: "features.18" is "features.18.0", too.
FloatLayers layers_named(const nn::Network& model, const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const auto& layer : model.convolutions()) all.push_back(layer->name);
  for (const auto& layer : model.linears()) all.push_back(layer->name);
  FloatLayers named;
  for (const std::string& name : names) {
    const size_t before = named.size();
    for (const std::string& layer : all) {
      const bool is = layer == name || (!name.empty() && layer.starts_with(name + "."));
      if (is) named[layer] = "--keep";
    }
    require_usage(named.size() > before, "quantize",
                  "--keep: expected names of layers with weights, as '{}', each once, got '{}'",
                  all.front(), name);
  }
  return named;
}

/// A line for each reason.
void say_what_stays(const FloatLayers& floats) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const auto& [layer, why] : floats) by_reason[why].push_back(layer);
  for (const auto& [why, layers] : by_reason) {
    const bool one = layers.size() == 1;
    say(fmt::format("{} layer{} in floats ({}): {}", layers.size(), one ? " stays" : "s stay", why,
                    fmt::join(layers, ", ")));
  }
}

/// In floats and in integers, by the engines that a user would run.
std::string accuracies(const Checkpoint& checkpoint, const QuantizedNetwork& quantized,
                       const ModelInfo& info, const Dataset& test) {
  const Evaluation before =
      evaluate(*checkpoint.model, checkpoint.info, test, inference::Engine::dense);
  const Evaluation after = evaluate(*quantized.network, info, test, inference::Engine::int8);
  report_warning(after.warning, false, say);
  return fmt::format("accuracy on {} test images: {:.2f} % in floats, {:.2f} % in 8 bits",
                     test.size(), 100 * before.accuracy, 100 * after.accuracy);
}

Table error_table(const std::vector<LayerError>& errors) {
  Table table({{"layer", "layer", Align::left},
               {"weights, dB", "weights_db"},
               {"logits, dB, if it alone is rounded", "logits_db"}});
  for (const LayerError& error : errors) {
    table.add_row({error.layer, Number{error.weights, 1}, Number{error.logits, 1}});
  }
  return table;
}

void run(const QuantizeArguments& o) {
  const InterruptGuard guard;
  const ThreadScope threads(o.threads);
  require_usage(!o.data.location.empty(), "quantize", "--data is missing");
  require_usage(!o.out.empty(), "quantize", "--out is empty");
  require_other_file(o.model, o.out, "quantize");
  CalibrationOptions options{.observer = value_of("observer", kObservers, o.observer),
                             .equalize = o.equalize,
                             .correct_biases = !o.keep_biases,
                             .between = &throw_if_interrupted};
  const auto claim = claim_output(o.out);
  Checkpoint checkpoint = o.loading.load(o.model);
  checkpoint.model->train(false);
  const Dataset data =
      o.data.open("quantize", Split::train, sight_of(checkpoint), o.images, o.seed);
  std::optional<Dataset> test;
  if (o.test > 0) {
    test = o.data.open("quantize", Split::test, sight_of(checkpoint), o.test, o.seed);
    require_same_classes(checkpoint.info.classes, *test);
  }
  options.keep = layers_named(*checkpoint.model, o.keep);
  const CalibrationImages images = calibration_images(checkpoint, data);
  const QuantizedNetwork quantized = quantize(*checkpoint.model, images, options);
  say_what_stays(quantized.floats);
  ModelInfo info = checkpoint.info;
  info.quantization = quantized.quantization;
  // Whether there are kernels for it, before anything is written.
  inference::Plan(inference_graph(*quantized.network, info), inference::Engine::int8, 1);
  const Table table = error_table(errors_by_layer(quantized, &throw_if_interrupted));
  const std::string found = test ? accuracies(checkpoint, quantized, info, *test) : "";
  info.history.push_back(quantization_step(checkpoint, data, options, quantized.floats));
  const auto bytes_before = std::filesystem::file_size(o.model);
  save_checkpoint(o.out, *quantized.network, info, parse_storage(o.store));
  say(fmt::format("{}: {} layers in 8 bits, {} bytes ({} before), calibrated on {} image{}", o.out,
                  quantized.quantization.weight_scales.size(), std::filesystem::file_size(o.out),
                  bytes_before, data.size(), data.size() == 1 ? "" : "s"));
  if (!found.empty()) say(found);
  print(table, o.format);
}

}  // namespace

void add_quantize(CLI::App& app) {
  auto* command = app.add_subcommand(
      "quantize", "Turn a trained model's weights and maps into 8-bit integers, without training");
  auto o = std::make_shared<QuantizeArguments>();
  add_model(*command, o->model, o->loading);
  command->add_option("--out", o->out, "checkpoint to write")->required();
  o->data.add(*command)->description(
      "training images to take the maps' ranges from (see train --help)");
  command->add_option("--calibrate", o->images, "so many of them, of each class in proportion")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      ->add_option("--observer", o->observer,
                   "which of a map's values its 256 steps (behind ReLU 128) are laid over: " +
                       explained(kObservers))
      ->check(choices(kObservers))
      ->capture_default_str();
  command->add_flag("--equalize", o->equalize,
                    "first make the channels between two layers equally large (Nagel et al. 2019); "
                    "ReLU6 becomes ReLU there");
  command->add_flag("--no-bias-correction", o->keep_biases,
                    "do not take out of the biases what rounding shifts each channel by");
  distinct(command
               ->add_option("--keep", o->keep,
                            "layers that stay in floats, by name: features.18 is all of that "
                            "block; also do those that integer kernels do not know")
               ->delimiter(','));
  command->add_option("--seed", o->seed, "of which images are taken")
      ->check(seed())
      ->capture_default_str();
  command
      ->add_option("--test", o->test,
                   "so many test images are classified before and after; 0: none")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  add_store(*command, o->store);
  add_threads(*command, o->threads);
  add_format(*command, o->format);
  command->footer(
      "The table has each layer's error in decibels (20 more is a tenth of the error): of its "
      "weights,\nand of the logits if nothing else is rounded.\n"
      "Examples:\n"
      "  edgeprune quantize --model tuned.safetensors --data cifar10 --out int8.safetensors\n"
      "  edgeprune quantize --model tuned.safetensors --data cifar10 --calibrate 2000 --observer "
      "percentile --equalize --out int8.safetensors --format csv\n"
      "  edgeprune quantize --model tuned.safetensors --data cifar10 --keep "
      "features.0.0,features.1 --out mixed.safetensors");
  command->callback([o] { run(*o); });
}

}  // namespace edgeprune::commands
