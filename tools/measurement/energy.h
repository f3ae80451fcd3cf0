#pragma once
// What work costs besides time: of the processor's time, and of energy.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edgeprune {

/// Of all threads of this process together, since it began.
double cpu_milliseconds();

/// The energy that the processors' packages take, whoever works on them, by the counters that Linux
/// shows in /sys/class/powercap (RAPL, of Intel's and AMD's processors). Often only root may read
/// them, and virtual machines mostly have none.
class EnergyMeter {
 public:
  /// `root` is in front of /sys, for tests.
  explicit EnergyMeter(const std::string& root = "");
  bool readable() const { return !packages_.empty(); }
  /// Since the meter was made; nothing unless readable. To be asked at least once while a counter
  /// goes once round (a minute at 1 kW).
  std::optional<double> joules();

 private:
  struct Package {
    std::string counter;
    uint64_t range = 0, last = 0;  // microjoules
  };
  std::vector<Package> packages_;
  double joules_ = 0;
};

}  // namespace edgeprune
