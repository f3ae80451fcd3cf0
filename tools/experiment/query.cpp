#include "tools/experiment/query.h"

#include <algorithm>
#include <set>
#include <utility>

namespace edgeprune {

const RunRecord* find_baseline(const std::vector<RunRecord>& records) {
  const auto found = std::find_if(records.begin(), records.end(),
                                  [](const RunRecord& record) { return record.method == "none"; });
  return found == records.end() ? nullptr : &*found;
}

const LatencyCell* find_latency(const RunRecord& record, const std::string& engine,
                                const Timing& timing) {
  const auto found =
      std::find_if(record.latency.begin(), record.latency.end(), [&](const LatencyCell& cell) {
        return cell.engine == engine && Timing{cell.batch, cell.threads} == timing;
      });
  return found == record.latency.end() ? nullptr : &*found;
}

std::vector<Timing> timings(const std::vector<RunRecord>& records) {
  std::set<Timing> found;
  for (const RunRecord& record : records) {
    for (const LatencyCell& cell : record.latency) found.insert({cell.batch, cell.threads});
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> engines(const std::vector<RunRecord>& records) {
  const auto rank = [](const std::string& name) {
    return std::pair(name == "dense" ? 0 : name == "sparse" ? 1 : 2, name);
  };
  std::vector<std::string> names;
  for (const RunRecord& record : records) {
    for (const LatencyCell& cell : record.latency) names.push_back(cell.engine);
  }
  std::sort(names.begin(), names.end(),
            [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace edgeprune
