#pragma once
// What other programs did while this one worked.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace edgeprune {

/// What disturbed this process for a while. Shares are missing where the kernel does not say, and
/// after less than half a second, because it counts in steps of 10 ms.
struct Load {
  std::optional<double> others;  ///< processors kept busy by others, stolen time included
  std::optional<double> stolen;  ///< of these, by other virtual machines
  int64_t switches = 0;  ///< involuntary context switches of this process: somebody took its core
  int processors = 0;    ///< that this process may use
};

/// Watches from its construction on.
class LoadWatch {
 public:
  /// `root` stands before /proc (for tests).
  explicit LoadWatch(std::string root = "");

  /// How many of this process's processors (usable_processors()) others kept busy on average since
  /// then: all programs' time on them in /proc/stat, a virtual machine's stolen time included, less
  /// this process's own.
  std::optional<double> others() const { return load().others; }
  Load load() const;

 private:
  /// Of all programs together on those processors, since the system started, in seconds.
  struct Busy {
    double all = 0, stolen = 0;
  };
  std::optional<Busy> all_programs() const;

  using Clock = std::chrono::steady_clock;
  std::string root_;
  Clock::time_point start_;
  std::optional<Busy> all_;
  double own_;
  int64_t switches_;
};

}  // namespace edgeprune
