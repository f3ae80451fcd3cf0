#include "tools/commands/data_options.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "data/open.h"
#include "engine/base/check.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

constexpr int64_t kUsualHeldOut = 5000;

std::vector<int64_t> images_by_class(const Dataset& dataset) {
  std::vector<int64_t> counts(dataset.classes.size(), 0);
  for (const int label : dataset.labels) ++counts[static_cast<size_t>(label)];
  return counts;
}

std::vector<std::string> classes_without_images(const Dataset& dataset) {
  const std::vector<int64_t> counts = images_by_class(dataset);
  std::vector<std::string> names;
  for (size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) names.push_back("'" + dataset.classes[c] + "'");
  }
  return names;
}

/// As many images as can be spared without emptying a class.
int64_t to_spare(const Dataset& training) {
  int64_t spare = 0;
  for (const int64_t count : images_by_class(training)) spare += std::max<int64_t>(count - 1, 0);
  return spare;
}

int64_t usual_held_out(const Dataset& training) {
  const int64_t tenth = std::max<int64_t>(training.size() / 10, std::ssize(training.classes));
  const int64_t images = std::min({tenth, kUsualHeldOut, to_spare(training)});
  if (images < kUsualHeldOut) {
    say(fmt::format("{} of {} training images are held out (--val-split)", images,
                    training.size()));
  }
  return images;
}

}  // namespace

Sight sight_of(const Checkpoint& checkpoint) {
  return {checkpoint.model->graph().input_size(), checkpoint.info.resize};
}

CLI::Option* add_resize(CLI::App& command, std::string& resize) {
  return command
      .add_option("--resize", resize,
                  "how images of other sizes come to the network's; the checkpoint keeps it: " +
                      explained(kResizes) + " (default: the checkpoint's, else " +
                      to_string(Resize::squash) + ")")
      ->check(choices(kResizes));
}

CLI::Option* DataFlags::add(CLI::App& command) {
  command.add_flag("--skip-bad-images", skip_bad_images,
                   "go on without images that cannot be read, and say which");
  // Not a check(): what one refuses of the environment, CLI11 2.4 leaves out without a word.
  const auto take = [this](std::string given) {
    const std::string why = parsed_by(check_location)(given);
    if (!why.empty()) throw CLI::ValidationError("--data", why);
    location = std::move(given);
  };
  return command
      .add_option_function<std::string>(
          "--data", take,
          "image folder (train/ and test/ or val/, a folder a class), CIFAR-10 or CIFAR-100 (its "
          "folder or .tar.gz, binary or Python's), or synthetic[:N]")
      ->envname("EDGEPRUNE_DATA");
}

ReadOptions DataFlags::reading(const Sight& sight, int64_t limit, uint64_t seed) const {
  return {static_cast<int>(sight.input_size), sight.resize, limit, seed, skip_bad_images, say};
}

Dataset DataFlags::open(const char* command, Split split, const Sight& sight, int64_t limit,
                        uint64_t seed) const {
  require_usage(!location.empty(), command, "--data is missing");
  Dataset dataset = open_dataset(location, split, reading(sight, limit, seed));
  const auto larger = std::ranges::count_if(dataset.images, [&](const Image& image) {
    return std::max(image.height, image.width) > sight.input_size;
  });
  if (larger > 0) {
    say(fmt::format(
        "note: the model was trained before version 0.2: {} images larger than {}x{} are "
        "resized without antialiasing, as then (train it further with --resize)",
        larger, sight.input_size, sight.input_size));
  }
  return dataset;
}

std::pair<Dataset, Dataset> DataFlags::open_training(const char* command, const Sight& sight,
                                                     int64_t limit, std::optional<int64_t> held_out,
                                                     uint64_t seed) const {
  Dataset training = open(command, Split::train, sight, limit, seed);
  const std::vector<std::string> missing = classes_without_images(training);
  require(
      missing.empty() || limit == 0, command,
      "--limit {} leaves no image to train on of {}: one of each of the {} classes is the least",
      limit, fmt::join(missing, ", "), training.classes.size());
  const int64_t wanted = held_out ? *held_out : usual_held_out(training);
  if (wanted == 0) return {std::move(training), Dataset{}};
  const int64_t spare = to_spare(training);
  require(wanted <= spare, command,
          "--val-split {}: of {} images in {} classes at most {} can be held out, as one of each "
          "class is the least to train on",
          wanted, training.size(), training.classes.size(), spare);
  auto parts = hold_out(std::move(training), wanted, seed);
  const std::vector<std::string> unseen = classes_without_images(parts.second);
  if (!unseen.empty()) {
    say(fmt::format("warning: among the {} images held out is none of {} (--val-split)", wanted,
                    fmt::join(unseen, ", ")));
  }
  return parts;
}

}  // namespace edgeprune::commands
