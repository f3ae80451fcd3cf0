#pragma once
// What a latency measurement leaves of one engine, at one batch size and thread count.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace edgeprune {

/// Times of one engine at one batch size, in milliseconds per image.
struct LatencyCell {
  std::string engine;  ///< "dense", "sparse", "auto" or "onednn"
  int batch = 1;
  int threads = 1;
  int64_t samples = 0;
  double median = 0, mean = 0, p90 = 0, p99 = 0, min = 0, max = 0;
};

void to_json(nlohmann::json& json, const LatencyCell& cell);
/// Throws nlohmann::json::exception if a field is missing or of another type.
void from_json(const nlohmann::json& json, LatencyCell& cell);

}  // namespace edgeprune
