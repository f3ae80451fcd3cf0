#include "tools/training/profile_table.h"

#include "engine/base/check.h"
#include "engine/kernels/simd/roofline.h"

namespace edgeprune {

Table profile_table(const Profiler& profiler, const SteadySteps& steps) {
  require(steps.count > 0, "profile", "there is no step to make a table of");
  Table table({{"operation", "operation", Align::left},
               {"phase", "phase", Align::left},
               {"ms/step", "ms_per_step"},
               {"share %", "share_percent"},
               {"GFLOP/s", "gflops"},
               {"GB/s", "gb_per_second"},
               {"limit", "limit", Align::left},
               {"of limit %", "limit_percent"}});
  const double peak = simd::peak_gflops(), bandwidth = simd::memory_bandwidth();
  double accounted = 0;
  const auto add = [&](const std::string& name, const std::string& phase, double seconds,
                       Cell gflops, Cell gbs, const std::string& limit, Cell share_of_limit) {
    table.add_row({name, phase, Number{1e3 * seconds / double(steps.count), 2},
                   Number{100 * seconds / steps.seconds, 1}, gflops, gbs, limit, share_of_limit});
  };
  for (const auto& [key, entry] : profiler.entries()) {
    accounted += entry.seconds;
    const double gflops = 1e-9 * entry.cost.flops / entry.seconds;
    const double gbs = 1e-9 * entry.cost.bytes / entry.seconds;
    // The limit that bites is the one whose time is longer.
    const bool arithmetic = entry.cost.flops / peak > entry.cost.bytes / bandwidth;
    const bool known = entry.cost.flops + entry.cost.bytes > 0;
    add(key.first, name_of(kPhases, key.second), entry.seconds,
        entry.cost.flops > 0 ? Cell(Number{gflops, 0}) : Cell(),
        entry.cost.bytes > 0 ? Cell(Number{gbs, 1}) : Cell(),
        !known       ? ""
        : arithmetic ? "arithmetic"
                     : "memory",
        known ? Cell(Number{100 * (arithmetic ? gflops / peak : gbs / bandwidth), 0}) : Cell());
  }
  add("other", "", steps.seconds - accounted, {}, {}, "", {});
  add("all", "", steps.seconds, {}, {}, "", {});
  table.add_row({"machine", "", {}, {}, Number{peak, 0}, Number{bandwidth, 1}, "measured", {}});
  return table;
}

std::string profile_summary(const SteadySteps& steps) {
  return fmt::format("profile of {} steps, behind {} of warm-up: {:.2f} fresh buffers a step",
                     steps.count, kWarmUpSteps, double(steps.fresh_buffers) / double(steps.count));
}

}  // namespace edgeprune
