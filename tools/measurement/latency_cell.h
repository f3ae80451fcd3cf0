#pragma once
// What a latency measurement leaves of one engine, at one batch size and thread count.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "tools/measurement/load.h"
#include "tools/measurement/statistics.h"

namespace edgeprune {

/// How many times as fast something is as a reference that was timed in turns with it: the median
/// of the rounds' ratios and its interval.
struct Factor : Interval {
  int64_t rounds = 0;
};

/// Times of one engine at one batch size, in milliseconds per image.
struct LatencyCell {
  std::string engine;  ///< "dense", "sparse", "auto" or "onednn"
  int batch = 1;
  int threads = 1;
  int64_t samples = 0;
  double median = 0, mean = 0, p90 = 0, p99 = 0, min = 0, max = 0;
  /// Against the reference (in a study the unpruned network on dense kernels); nothing if they were
  /// not timed together.
  std::optional<Factor> factor = {};
  std::optional<Load> load = {};  ///< what disturbed it, and those it was timed in turns with
};

void to_json(nlohmann::json& json, const LatencyCell& cell);
/// Throws nlohmann::json::exception if a field is missing or of another type. `factor` and `load`
/// may be missing: records had none before times were taken in turns with a reference.
void from_json(const nlohmann::json& json, LatencyCell& cell);

}  // namespace edgeprune
