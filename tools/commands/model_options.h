#pragma once
// How every command that takes a model, or makes a network, is told about it.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "models/checkpoint.h"

namespace edgeprune::commands {

/// --key and --trained-in: what a file of others does not say.
struct ForeignFlags {
  std::string key, trained_in = name_of(kTrainedIn, TrainedIn::guessed);
  void add(CLI::App& command);
  void set(Wanted& wanted) const;
};

/// These, --input-size and --class-names, for the model that a command loads.
struct LoadingFlags {
  int64_t input_size = 0;
  std::vector<std::string> class_names;
  ForeignFlags foreign;
  void add(CLI::App& command);
  /// load_checkpoint(), its notes said on stderr. Throws also std::invalid_argument if the names are
  /// not as many as the model's classes.
  Checkpoint load(const std::string& path, bool quantized = false) const;
};

/// The engines that were asked for; where none were, and the model is quantised, int8.
std::vector<std::string> engines_for(const Checkpoint& checkpoint, bool given,
                                     const std::vector<std::string>& engines);

/// --model, and what goes with it.
void add_model(CLI::App& command, std::string& model, LoadingFlags& loading);

/// --network, of the table in models/networks.h; empty if it was not given.
void add_network(CLI::App& command, std::string& network);
/// --width, of a network that is made; 0 if it was not given.
void add_width(CLI::App& command, double& width);
/// --input-size; 0 if it was not given.
CLI::Option* add_input_size(CLI::App& command, int64_t& input_size);
CLI::Option* add_class_names(CLI::App& command, std::vector<std::string>& names);

/// Puts names given (or the lines of one file) in place of the model's. Throws
/// std::invalid_argument unless there is one for each class, none twice.
void set_class_names(ModelInfo& info, const std::vector<std::string>& names);

/// --strict, for warn().
void add_strict(CLI::App& command, bool& strict);

}  // namespace edgeprune::commands
