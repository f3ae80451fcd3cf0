#include "tools/measurement/latency_cell.h"

#include "engine/base/json.h"

namespace edgeprune {

// The one list of fields, in a namespace of its own: the header would have to include all of
// nlohmann's library for the macro.
namespace fields {
namespace {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LatencyCell, engine, batch, threads, samples, median, mean, p90,
                                   p99, min, max)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Factor, median, low, high, rounds)

nlohmann::json or_null(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

std::optional<double> unless_null(const nlohmann::json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<double>());
}
}  // namespace
}  // namespace fields

void to_json(nlohmann::json& json, const LatencyCell& cell) {
  fields::to_json(json, cell);
  if (cell.factor) fields::to_json(json["factor"], *cell.factor);
  if (cell.integer_factor) fields::to_json(json["integer_factor"], *cell.integer_factor);
  if (cell.cpu_ms) json["cpu_ms"] = *cell.cpu_ms;
  if (cell.joules) json["joules"] = *cell.joules;
  if (cell.load) {
    json["load"] = {{"others", fields::or_null(cell.load->others)},
                    {"stolen", fields::or_null(cell.load->stolen)},
                    {"switches", cell.load->switches},
                    {"processors", cell.load->processors}};
  }
}

void from_json(const nlohmann::json& json, LatencyCell& cell) {
  fields::from_json(json, cell);
  for (const auto& [key, factor] : {std::pair("factor", &LatencyCell::factor),
                                    std::pair("integer_factor", &LatencyCell::integer_factor)}) {
    if (!json.contains(key)) continue;
    fields::from_json(json[key], (cell.*factor).emplace());
  }
  for (const auto& [key, value] :
       {std::pair("cpu_ms", &LatencyCell::cpu_ms), std::pair("joules", &LatencyCell::joules)}) {
    if (json.contains(key)) cell.*value = json[key].get<double>();
  }
  if (json.contains("load")) {
    const nlohmann::json& load = json["load"];
    cell.load = {.others = fields::unless_null(load.at("others")),
                 .stolen = fields::unless_null(load.at("stolen")),
                 .switches = load.at("switches").get<int64_t>(),
                 .processors = load.at("processors").get<int>()};
  }
}

}  // namespace edgeprune
