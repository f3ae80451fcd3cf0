#pragma once
// The data that commands read, spelt and explained alike.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>

#include "data/dataset.h"
#include "models/checkpoint.h"

namespace edgeprune::commands {

/// What the network wants of its images.
struct Sight {
  int64_t input_size = 64;
  Resize resize = Resize::squash;
};
Sight sight_of(const Checkpoint& checkpoint);

/// --resize, where a network's training begins.
CLI::Option* add_resize(CLI::App& command, std::string& resize);

/// --data and --skip-bad-images.
struct DataFlags {
  std::string location;
  bool skip_bad_images = false;
  CLI::Option* add(CLI::App& command);
  /// As ReadOptions with a line on stderr for what is to be said.
  ReadOptions reading(const Sight& sight, int64_t limit = 0, uint64_t seed = 0) const;
  /// It is wrong usage if --data is missing. Throws what open_dataset() throws.
  Dataset open(const char* command, Split split, const Sight& sight, int64_t limit = 0,
               uint64_t seed = 0) const;
  /// {training, validation} images, of each class some to train on; without `held_out` a tenth of
  /// the images is held out, one of each class at least, but 5,000 at most: the original study's split.
  /// Throws std::invalid_argument, naming the flag, where a class would be left without images.
  std::pair<Dataset, Dataset> open_training(const char* command, const Sight& sight, int64_t limit,
                                            std::optional<int64_t> held_out, uint64_t seed) const;
};

}  // namespace edgeprune::commands
