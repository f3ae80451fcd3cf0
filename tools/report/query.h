#pragma once
// Questions that tables and plots ask of a study's runs.

#include <algorithm>
#include <compare>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tools/study/records.h"

namespace edgeprune {

/// The unpruned run (method "none", in floats) the others are compared with; null if there is none.
const RunRecord* find_baseline(const std::vector<RunRecord>& records);

/// What was pruned and how: "magnitude", "lamp", "channel" (masks), "channel groups" (masks that
/// can be removed), "compact channels" (removed).
std::string variant(const RunRecord& record);
/// Whether whole channels went, not single weights. (A method of a later version is taken for the
/// latter.)
bool by_channels(const RunRecord& record);

/// ", INT8" of rows in 8-bit integers, ", INT8 (qat)" if trained for it; else nothing.
std::string integer_suffix(const RunRecord& record);

/// The different values of `key` in order of appearance.
template <typename Key>
auto distinct(const std::vector<RunRecord>& records, const Key& key) {
  std::vector<std::decay_t<decltype(key(records.front()))>> found;
  for (const RunRecord& record : records) {
    auto value = key(record);
    if (std::find(found.begin(), found.end(), value) == found.end()) {
      found.push_back(std::move(value));
    }
  }
  return found;
}

/// How a latency was measured.
struct Timing {
  int batch, threads;
  auto operator<=>(const Timing&) const = default;
};

/// The latency of one engine; null if the run has none.
const LatencyCell* find_latency(const RunRecord& record, const std::string& engine,
                                const Timing& timing);

/// The timings of all runs, by batch size, then threads.
std::vector<Timing> timings(const std::vector<RunRecord>& records);

/// The fewest threads measured, with the smallest batch and with the largest: one or two timings,
/// none if nothing was timed. What pictures and sentences speak of where all would be too much.
std::vector<Timing> main_timings(const std::vector<RunRecord>& records);

/// The engines of all runs: dense, sparse, then others by name, integer ones last.
std::vector<std::string> engines(const std::vector<RunRecord>& records);

}  // namespace edgeprune
