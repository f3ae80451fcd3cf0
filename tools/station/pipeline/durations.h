#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace edgeprune::station {

/// Durations, counted in classes that grow with them, as HdrHistogram has them: exact below 64 us, then 32 classes an
/// octave, so that a percentile is at most 3 % too high. Beyond 134 s all are one class.
class Durations {
 public:
  void add(std::chrono::nanoseconds duration);

  uint64_t count() const { return count_; }
  double mean_ms() const;
  double max_ms() const { return static_cast<double>(max_us_) / 1000; }
  /// The upper end of the class that so many percent of the durations do not exceed; 0 if there are none.
  double percentile_ms(double percent) const;

 private:
  static constexpr int kLinear = 64, kPerOctave = 32, kOctaves = 21;
  static int class_of(uint64_t us);
  static uint64_t upper_end(int index);

  std::array<uint64_t, kLinear + kPerOctave * kOctaves> counts_{};
  uint64_t count_ = 0, sum_us_ = 0, max_us_ = 0;
};

}  // namespace edgeprune::station
