#pragma once
// What `prune` was asked for.

#include <optional>
#include <string>
#include <vector>

#include "tools/commands/data_options.h"
#include "tools/commands/model_options.h"
#include "tools/commands/options.h"
#include "tools/training/pruning_trajectory.h"

namespace edgeprune::commands {

struct PruneOptions {
  LoadingFlags loading;
  std::string model, out, store = "dense", format = "md";
  std::string method, mode = "mask", block = "1x1", schedule;  ///< schedule empty: one-shot
  double sparsity = 0;
  ScheduleOptions steps;
  std::optional<int64_t> score_images;
  PruneLimits limits;
  GroupLimits groups;
  bool dry_run = false;

  // What takes data.
  DataFlags data;
  std::string teacher;
  std::optional<int64_t> epochs, validation;
  int64_t limit = 0;
  TrainingFlags training;
  RecoveryFlags recovery;
  double min_accuracy = 0;
  int threads = 1;
  bool resume = false, strict = false;

  void add(CLI::App& command);
  PruningSchedule parsed_schedule() const;
  /// Steps and what to do in each, without the distillation's teacher. Throws std::invalid_argument
  /// on flags that do not fit each other.
  Trajectory parse() const;
  /// Whether anything is to be trained, recalibrated or evaluated.
  bool uses_data() const;
};

}  // namespace edgeprune::commands
