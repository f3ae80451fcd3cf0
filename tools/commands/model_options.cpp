#include "tools/commands/model_options.h"

#include <filesystem>
#include <set>
#include <sstream>

#include "engine/base/check.h"
#include "engine/base/file.h"
#include "engine/base/printable.h"
#include "models/networks.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
  const std::vector<char> content = read_file(path);
  std::istringstream text(std::string(content.data(), content.size()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace

void ForeignFlags::add(CLI::App& command) {
  command.add_option("--key", key,
                     "of a PyTorch checkpoint's entries, the one with the weights, as student or "
                     "trainer.net (default: the averaged weights, else those of the last step)");
  command
      .add_option("--trained-in", trained_in,
                  "where weights that others made come from: " + explained(kTrainedIn))
      ->check(choices(kTrainedIn))
      ->capture_default_str();
}

void ForeignFlags::set(Wanted& wanted) const {
  wanted.key = key;
  wanted.trained_in = value_of("trained-in", kTrainedIn, trained_in);
}

void LoadingFlags::add(CLI::App& command) {
  add_input_size(command, input_size);
  add_class_names(command, class_names);
  foreign.add(command);
}

Checkpoint LoadingFlags::load(const std::string& path, bool quantized) const {
  Wanted wanted{.input_size = input_size, .quantized = quantized};
  foreign.set(wanted);
  Checkpoint checkpoint = load_checkpoint(path, wanted);
  for (const std::string& note : checkpoint.notes) say(note);
  if (!class_names.empty()) set_class_names(checkpoint.info, class_names);
  return checkpoint;
}

std::vector<std::string> engines_for(const Checkpoint& checkpoint, bool given,
                                     const std::vector<std::string>& engines) {
  if (given || !checkpoint.info.quantization) return engines;
  return {to_string(inference::Engine::int8)};
}

void add_model(CLI::App& command, std::string& model, LoadingFlags& loading) {
  command
      .add_option("--model", model,
                  "checkpoint (.safetensors); a PyTorch checkpoint or another tool's .safetensors "
                  "is read as by edgeprune import")
      ->required();
  loading.add(command);
}

void add_network(CLI::App& command, std::string& network) {
  command
      .add_option("--network", network,
                  fmt::format("{} (default: the file's, found from its names and shapes; {} for "
                              "random weights)",
                              networks_explained(), kDefaultNetwork))
      ->check(CLI::IsMember(network_names()));
}

void add_width(CLI::App& command, double& width) {
  command
      .add_option("--width", width,
                  "width multiplier of the network (default: the file's, found from its shapes; 1 "
                  "for random weights)")
      ->check(between(0.01, 16));
}

CLI::Option* add_input_size(CLI::App& command, int64_t& input_size) {
  return command
      .add_option("--input-size", input_size,
                  "images are resized to so many pixels a side (default: the model's; 64 if "
                  "nothing says it)")
      ->check(CLI::Range(32, 4096));
}

CLI::Option* add_class_names(CLI::App& command, std::vector<std::string>& names) {
  return distinct(command.add_option(
                      "--class-names", names,
                      "names of the classes by label, as cat,dog, or a file with one a line "
                      "(default: the model's; a model without takes the data's, if their number "
                      "fits)"))
      ->delimiter(',')
      ->allow_extra_args(false);  // what follows may be images
}

void set_class_names(ModelInfo& info, const std::vector<std::string>& names) {
  const bool file = names.size() == 1 && std::filesystem::is_regular_file(names.front());
  std::vector<std::string> given = file ? lines_of(names.front()) : names;
  for (std::string& name : given) name = as_utf8(name);
  require(given.size() == info.classes.size(), "class-names", "{} name{} for {} classes{}",
          given.size(), given.size() == 1 ? "" : "s", info.classes.size(),
          names.size() == 1 && !file ? " (there is no such file either)" : "");
  require(std::set(given.begin(), given.end()).size() == given.size(), "class-names",
          "a name is there twice");
  info.classes = given;
}

void add_strict(CLI::App& command, bool& strict) {
  command.add_flag("--strict", strict,
                   "a network through which nothing of the image passes, or that calls all images "
                   "one class, is an error, not a warning");
}

}  // namespace edgeprune::commands
