#include "tools/measurement/latency_cell.h"

#include <nlohmann/json.hpp>

namespace edgeprune {
namespace {

// The one list of fields, for writing (const) and reading.
template <typename Cell, typename Visit>
void visit_fields(Cell& cell, const Visit& visit) {
  visit("engine", cell.engine);
  visit("batch", cell.batch);
  visit("threads", cell.threads);
  visit("samples", cell.samples);
  visit("median", cell.median);
  visit("mean", cell.mean);
  visit("p90", cell.p90);
  visit("p99", cell.p99);
  visit("min", cell.min);
  visit("max", cell.max);
}

}  // namespace

void to_json(nlohmann::json& json, const LatencyCell& cell) {
  visit_fields(cell, [&](const char* key, const auto& field) { json[key] = field; });
}

void from_json(const nlohmann::json& json, LatencyCell& cell) {
  visit_fields(cell, [&](const char* key, auto& field) { json.at(key).get_to(field); });
}

}  // namespace edgeprune
