#include "tools/report/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "pruning/method.h"

namespace edgeprune {

const RunRecord* find_baseline(const std::vector<RunRecord>& records) {
  const auto found = std::find_if(records.begin(), records.end(), [](const RunRecord& record) {
    return record.method == "none" && !record.is_quantized();
  });
  return found == records.end() ? nullptr : &*found;
}

std::string variant(const RunRecord& record) {
  if (record.mode == "compact") return "compact " + record.method + "s";
  if (record.mode == "group-mask") return record.method + " groups";
  return record.method;
}

std::string integer_suffix(const RunRecord& record) {
  if (!record.is_quantized()) return "";
  return record.quantization == "ptq" ? ", INT8" : fmt::format(", INT8 ({})", record.quantization);
}

bool by_channels(const RunRecord& record) {
  const auto found = std::ranges::find(kMethods, record.method, &Named<Method>::name);
  return found != std::end(kMethods) && is_structured(found->value);
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

std::vector<Timing> main_timings(const std::vector<RunRecord>& records) {
  const std::vector<Timing> all = timings(records);
  if (all.empty()) return {};
  const auto fewer_threads = [](const Timing& a, const Timing& b) { return a.threads < b.threads; };
  const int threads = std::min_element(all.begin(), all.end(), fewer_threads)->threads;
  std::vector<Timing> found;
  for (const Timing& timing : all) {
    if (timing.threads != threads) continue;
    if (found.size() == 2) found.pop_back();
    found.push_back(timing);
  }
  return found;
}

std::vector<std::string> engines(const std::vector<RunRecord>& records) {
  const auto rank = [](const std::string& name) {
    const int place = name == "dense" ? 0 : name == "sparse" ? 1 : name.starts_with("int") ? 3 : 2;
    return std::pair(place, name);
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
