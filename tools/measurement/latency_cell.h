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
  std::string engine;  ///< "dense", "sparse", "auto", "int8" ...: inference::kEngines
  int batch = 1;
  int threads = 1;
  int64_t samples = 0;
  double median = 0, mean = 0, p90 = 0, p99 = 0, min = 0, max = 0;
  /// Against the reference (in a study the unpruned network on dense kernels); nothing if they were
  /// not timed together.
  std::optional<Factor> factor = {};
  std::optional<Load> load = {};  ///< what disturbed it, and those it was timed in turns with
  /// Against the unpruned network in integers, in the same rounds; nothing if that took no turns.
  std::optional<Factor> integer_factor = {};
  /// Of all its threads together, in milliseconds an image; nothing in records of before 0.2.0.
  std::optional<double> cpu_ms = {};
  /// An image's, of the whole processor's (energy.h); nothing where its counters cannot be read.
  std::optional<double> joules = {};
};

void to_json(nlohmann::json& json, const LatencyCell& cell);
/// Throws nlohmann::json::exception if a field is missing or of another type. What is optional
/// may be missing.
void from_json(const nlohmann::json& json, LatencyCell& cell);

}  // namespace edgeprune
