#pragma once
// Made-up runs with the shape of a study's.

#include <cmath>
#include <string>
#include <vector>

#include "tools/study/records.h"

namespace edgeprune::testing {

/// A factor whose interval is that share of it to either side.
inline Factor within(double factor, double share) {
  return {{factor, factor * (1 - share), factor * (1 + share)}, 20};
}

inline RunRecord sample_run(const std::string& method, const std::string& schedule, double target,
                            double accuracy) {
  RunRecord run;
  run.method = method;
  run.schedule = schedule;
  run.target = target;
  run.id = method == "none"
               ? "baseline"
               : method + "-" + schedule + "-" + std::to_string(std::lround(100 * target));
  run.row = run.id;
  run.mode = method == "none" ? "none" : "mask";
  run.seed = 0;
  run.accuracy_before = accuracy / 3;
  run.accuracy = accuracy;
  run.loss = 0.1 + 1 / (1 + 10 * accuracy);
  run.test_images = 10000;
  run.correct = std::string(static_cast<size_t>(std::lround(2500 * accuracy)), 'f');
  run.correct.resize(2500, '0');
  run.parameters = 2236682;
  run.prunable = 2202560;
  run.nonzero_prunable = run.prunable - std::lround(target * 2202560);
  run.nonzero_parameters = run.parameters - (run.prunable - run.nonzero_prunable);
  run.multiply_adds = 24500000;
  run.nonzero_multiply_adds = std::lround(24500000 * (1 - 0.8 * target));
  run.stored_parameters = run.parameters;
  run.file_bytes = 9056240;
  run.sparse_file_bytes = 4 * run.nonzero_parameters + run.prunable / 8;
  run.epochs = method == "none" ? 15 : 5;
  run.train_seconds = 1234.5;
  run.epochs_spent = run.epochs;
  run.seconds_spent = run.train_seconds;
  for (int64_t epoch = 1; epoch <= run.epochs; ++epoch) {
    run.curve.push_back({epoch, 1 / (1.0 + double(epoch)), accuracy * (1 - 0.2 / double(epoch))});
  }
  run.layers = {{"features.0.0", 864, std::lround(864 * (1 - target)), 884736,
                 std::lround(884736 * (1 - target))},
                {"classifier.1", 12800, std::lround(12800 * (1 - 0.9 * target)), 12800,
                 std::lround(12800 * (1 - 0.9 * target))}};
  run.checkpoint = run.id + ".safetensors";
  run.sha256 = "ab";
  run.parent_sha256 = "cd";
  run.cpu = "Sample CPU 9000";
  run.build = "release";
  run.commit = "0123abc";
  run.trained_commit = "4567def";
  for (const int batch : {1, 64}) {
    for (const int threads : {1, 2}) {
      const double unpruned = (batch == 1 ? 0.71 : 0.62) / (threads == 1 ? 1 : 1.7);
      const double dense = unpruned * (1 + 0.01 * std::sin(50 * accuracy));  // they scatter
      const double speed_up =
          batch == 1 ? 0.55 + 1.0 * target : 0.7 + 0.25 * target + 2 * std::pow(target, 3);
      for (const bool sparse : {false, true}) {
        const double median = sparse ? dense / speed_up : dense;
        run.latency.push_back({sparse ? "sparse" : "dense", batch, threads, 200, median,
                               1.02 * median, 1.1 * median, 1.4 * median, 0.9 * median, 2 * median,
                               within(unpruned / median, 0.01), Load{0.1, 0.0, 3, 2}});
      }
    }
  }
  return run;
}

/// The same row, trained from another seed.
inline RunRecord with_seed(RunRecord run, uint64_t seed, double accuracy) {
  const RunRecord other = sample_run(run.method, run.schedule, run.target, accuracy);
  run.seed = seed;
  run.id = run.row + ".seed" + std::to_string(seed);
  run.accuracy = other.accuracy;
  run.correct = other.correct;
  return run;
}

/// The same row in 8-bit integers: on the engine int8 twice as fast as its parent's dense kernels,
/// `over_integers` times as fast as the unpruned network in integers (0: it is that network).
inline RunRecord quantized(const RunRecord& parent, double accuracy, double over_integers = 0) {
  RunRecord run = parent;
  run.id = run.row = parent.id + "-int8";
  run.quantization = "ptq";
  run.accuracy = accuracy;
  run.correct = sample_run(run.method, run.schedule, run.target, accuracy).correct;
  run.sha256 = parent.sha256 + "8";
  run.parent_sha256 = parent.sha256;
  run.file_bytes /= 4;
  run.sparse_file_bytes /= 3;
  std::erase_if(run.latency, [](const LatencyCell& cell) { return cell.engine != "dense"; });
  for (LatencyCell& cell : run.latency) {
    cell.engine = "int8";
    cell.median /= 2;
    cell.min /= 2;
    cell.cpu_ms = cell.median * cell.threads;
    cell.factor = within(2 * cell.factor->median, 0.01);
    if (over_integers > 0) cell.integer_factor = within(over_integers, 0.01);
  }
  return run;
}

/// A baseline and 70 % by LAMP, each in floats and in integers.
inline std::vector<RunRecord> combined_study() {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.9),
                                 sample_run("lamp", "one-shot", 0.7, 0.899)};
  runs[0].sha256 = "00";
  runs[1].sha256 = "11";
  runs.insert(runs.begin() + 1, quantized(runs[0], 0.898));
  runs.push_back(quantized(runs[2], 0.895, 1.3));
  return runs;
}

/// Physically smaller, and faster for it.
inline RunRecord compact(RunRecord run) {
  run.mode = "compact";
  run.id = run.row = "compact-" + run.id;
  run.stored_parameters = run.nonzero_parameters;
  run.file_bytes = run.sparse_file_bytes = 4 * run.stored_parameters;
  for (LatencyCell& cell : run.latency) {
    cell.median *= 1 - run.target;
    cell.factor = within(cell.factor->median / (1 - run.target), 0.01);
  }
  return run;
}

/// A baseline, two methods x two schedules x three targets.
inline std::vector<RunRecord> sample_study() {
  std::vector<RunRecord> runs = {sample_run("none", "none", 0, 0.898)};
  const auto add = [&](const std::string& method, const std::string& schedule,
                       const std::vector<double>& accuracies) {
    for (size_t i = 0; i < accuracies.size(); ++i) {
      runs.push_back(
          sample_run(method, schedule, 0.3 + 0.2 * static_cast<double>(i), accuracies[i]));
    }
  };
  add("magnitude", "one-shot", {0.9171, 0.9165, 0.9139});
  add("channel", "one-shot", {0.837, 0.668, 0.548});
  add("magnitude", "exact", {0.915, 0.9178, 0.9158});
  add("channel", "exact", {0.856, 0.798, 0.7301});
  return runs;
}

}  // namespace edgeprune::testing
