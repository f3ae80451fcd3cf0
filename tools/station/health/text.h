#pragma once
// A snapshot as others read it.

#include <string>

#include "tools/station/health/snapshot.h"

namespace edgeprune::station {

/// In Prometheus' text format 0.0.4. Durations are summaries, in seconds.
std::string metrics_text(const Snapshot& snapshot);
/// What the page shows, as JSON.
std::string status_json(const Snapshot& snapshot);
/// "ok", or what is missing, a line each.
std::string health_text(const Snapshot& snapshot);
/// A Windows bitmap, which every browser shows and which takes no library to write.
std::string bitmap(const Image& image);

}  // namespace edgeprune::station
