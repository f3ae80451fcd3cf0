#include "tools/measurement/latency_cell.h"

#include <nlohmann/json.hpp>

namespace edgeprune {

void to_json(nlohmann::json& json, const LatencyCell& cell) {
  json = {{"engine", cell.engine},   {"batch", cell.batch},   {"threads", cell.threads},
          {"samples", cell.samples}, {"median", cell.median}, {"mean", cell.mean},
          {"p90", cell.p90},         {"p99", cell.p99},       {"min", cell.min},
          {"max", cell.max}};
}

void from_json(const nlohmann::json& json, LatencyCell& cell) {
  json.at("engine").get_to(cell.engine);
  json.at("batch").get_to(cell.batch);
  json.at("threads").get_to(cell.threads);
  json.at("samples").get_to(cell.samples);
  json.at("median").get_to(cell.median);
  json.at("mean").get_to(cell.mean);
  json.at("p90").get_to(cell.p90);
  json.at("p99").get_to(cell.p99);
  json.at("min").get_to(cell.min);
  json.at("max").get_to(cell.max);
}

}  // namespace edgeprune
