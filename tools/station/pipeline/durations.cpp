#include "tools/station/pipeline/durations.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace edgeprune::station {

int Durations::class_of(uint64_t us) {
  if (us < kLinear) return static_cast<int>(us);
  const int octave =
      std::bit_width(us) - std::bit_width(uint64_t{kLinear - 1}) - 1;  // 0: 64 to 127
  if (octave >= kOctaves) return kLinear + kPerOctave * kOctaves - 1;
  const auto within = static_cast<int>((us >> (octave + 1)) - kPerOctave);
  return kLinear + octave * kPerOctave + within;
}

uint64_t Durations::upper_end(int index) {
  if (index < kLinear) return static_cast<uint64_t>(index);
  const int octave = (index - kLinear) / kPerOctave, within = (index - kLinear) % kPerOctave;
  return (static_cast<uint64_t>(kPerOctave + within + 1) << (octave + 1)) - 1;
}

void Durations::add(std::chrono::nanoseconds duration) {
  const auto us = static_cast<uint64_t>(std::max<int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(duration).count()));
  ++counts_[static_cast<size_t>(class_of(us))];
  ++count_;
  sum_us_ += us;
  max_us_ = std::max(max_us_, us);
}

double Durations::mean_ms() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_us_) / static_cast<double>(count_) / 1000;
}

double Durations::percentile_ms(double percent) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) {
      return static_cast<double>(std::min(upper_end(static_cast<int>(i)), max_us_)) / 1000;
    }
  }
  return 0;
}

}  // namespace edgeprune::station
