#include "tools/report/noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace edgeprune {
namespace {

constexpr const char* kNotTogether = "not timed together";

/// Nothing if `factor`, whose truth is 1, is near enough.
std::string control(const char* what, double factor) {
  if (std::abs(factor - 1) <= kControlAllowance) return {};
  return fmt::format("noisy: {} {:.2f} times as fast", what, factor);
}

/// Nothing if the threads had processors of their own for most of the time.
std::string crowding(const LatencyCell& cell) {
  constexpr double kTolerated = 0.5;  // of a processor
  if (!cell.load || !cell.load->others) return {};
  const auto& load = *cell.load;
  if (*load.others + std::min(cell.threads, load.processors) <= load.processors + kTolerated)
    return {};
  return fmt::format("noisy: others kept {:.1f} of {} processor{} busy beside {} thread{}",
                     *load.others, load.processors, load.processors == 1 ? "" : "s", cell.threads,
                     cell.threads == 1 ? "" : "s");
}

/// Nothing if it ran at one speed. One that waits for its threads in a better and a worse way may
/// have a narrow interval around either.
std::string two_speeds(const LatencyCell& cell) {
  constexpr double kTolerated = 1.25;  // the median, of the best
  if (cell.min <= 0 || cell.median <= kTolerated * cell.min) return {};
  return fmt::format("noisy: {} took {:.3f} ms in the median and {:.3f} at best", cell.engine,
                     cell.median, cell.min);
}

/// Nothing if its threads did not make it slower than one of them alone.
std::string idle_threads(const RunRecord& row, const LatencyCell& cell) {
  const LatencyCell* alone = find_latency(row, cell.engine, {cell.batch, 1});
  if (alone == nullptr || cell.median <= (1 + kControlAllowance) * alone->median) return {};
  return fmt::format("noisy: {} took {:.2f} times as long on {} threads as on one", cell.engine,
                     cell.median / alone->median, cell.threads);
}

}  // namespace

std::string doubt(const RunRecord& row, const Timing& timing) {
  for (const LatencyCell& cell : row.latency) {
    if (Timing{cell.batch, cell.threads} != timing) continue;
    if (!cell.factor) return kNotTogether;
    if (cell.factor->half_width() > kControlAllowance) {
      return fmt::format("noisy: {} is known to {:.0f} % only", cell.engine,
                         100 * cell.factor->half_width());
    }
    for (std::string found : {crowding(cell), two_speeds(cell), idle_threads(row, cell)}) {
      if (!found.empty()) return found;
    }
  }
  const LatencyCell* dense = find_latency(row, "dense", timing);
  const LatencyCell* automatic = find_latency(row, "auto", timing);
  if (dense == nullptr) return {};
  std::string found;
  if (row.mode != "compact") {
    found = control("dense kernels, whose work is the same, were", dense->factor->median);
  }
  const bool no_zeros = row.mode == "compact" || row.method == "none";
  if (found.empty() && no_zeros && automatic != nullptr) {
    found = control("auto, which has no zeros to skip, was",
                    automatic->factor->median / dense->factor->median);
  }
  return found;
}

const Factor* trusted_factor(const RunRecord& row, const LatencyCell& cell) {
  if (!cell.factor || !doubt(row, {cell.batch, cell.threads}).empty()) return nullptr;
  return &*cell.factor;
}

}  // namespace edgeprune
