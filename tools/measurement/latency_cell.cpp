#include "tools/measurement/latency_cell.h"

#include "engine/base/json.h"

namespace edgeprune {

// The one list of fields, in a namespace of its own: the header would have to include all of
// nlohmann's library for the macro.
namespace fields {
namespace {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LatencyCell, engine, batch, threads, samples, median, mean, p90,
                                   p99, min, max)
}  // namespace
}  // namespace fields

void to_json(nlohmann::json& json, const LatencyCell& cell) {
  fields::to_json(json, cell);
}

void from_json(const nlohmann::json& json, LatencyCell& cell) {
  fields::from_json(json, cell);
}

}  // namespace edgeprune
