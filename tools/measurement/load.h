#pragma once
// What other programs did while this one worked.

#include <chrono>
#include <optional>
#include <string>

namespace edgeprune {

/// Watches from its construction on.
class LoadWatch {
 public:
  /// `root` stands before /proc (for tests).
  explicit LoadWatch(std::string root = "");

  /// How many of this process's processors (usable_processors()) others kept busy on average since
  /// then: all programs' time on them in /proc/stat, a virtual machine's stolen time included, less
  /// this process's own. Nothing if that cannot be read, or after less than half a second, because
  /// the kernel counts in steps of 10 ms.
  std::optional<double> others() const;

 private:
  /// Of all programs together on those processors, since the system started, in seconds.
  std::optional<double> all_programs() const;

  using Clock = std::chrono::steady_clock;
  std::string root_;
  Clock::time_point start_;
  std::optional<double> all_;
  double own_;
};

}  // namespace edgeprune
