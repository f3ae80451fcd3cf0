#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/station/drift/cusum.h"
#include "tools/station/drift/reference.h"

namespace edgeprune::station {

/// How far one quantity is from its reference.
struct DriftState {
  std::string name;   ///< a feature's, or "shift"
  double level = 0;   ///< of the evidence that raises an alarm, 0 to 1
  double effect = 0;  ///< features: Cohen's d of the last 100 items; shift: pixels of 64
  uint64_t alarms = 0;
};

/// Watches items one after the other. For one thread at a time.
///
/// Each feature has a sequential test on its normal scores, which share the budget of false alarms; this holds for items
/// that do not depend on each other. A shift is the same displacement of the mean of 32 images, three times in a row.
class DriftMonitor {
 public:
  /// `false_alarms`: that may come in one item on average, all tests together.
  explicit DriftMonitor(DriftReference reference, double false_alarms = 1e-6);

  /// Names what this item raised an alarm about, with its effect: "luminance fell by 1.2 standard deviations".
  std::optional<std::string> add(const Image& image, float confidence);

  uint64_t items() const { return items_; }
  std::vector<DriftState> state() const;

 private:
  struct Test {
    Cusum sums;
    std::vector<float> recent;  ///< the last 100 values, in a ring
    uint64_t alarms = 0;
  };
  double effect_of(Feature feature) const;
  std::optional<std::string> watch_shift(const Image& image);

  DriftReference reference_;
  std::vector<Test> tests_;
  uint64_t items_ = 0;
  std::vector<double> window_;  ///< the sum of thumbnails of this window
  int in_window_ = 0, same_ = 0;
  Shift shift_;
  uint64_t shift_alarms_ = 0;
};

}  // namespace edgeprune::station
