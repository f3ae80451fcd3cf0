#pragma once
// Of which values a tensor is, and what range of them is worth its grid.

#include <span>
#include <vector>

#include "engine/base/names.h"
#include "engine/kernels/grid.h"

namespace edgeprune {

/// How the range of a tensor's grid is chosen from its values over the calibration images.
enum class Observer { minmax, percentile, mse };
inline constexpr Named<Observer> kObservers[] = {
    {Observer::minmax, "minmax", "all values"},
    {Observer::percentile, "percentile", "all but the outermost 0.01 % on either side"},
    {Observer::mse, "mse", "the part whose rounding errs least in the square"},
};
static_assert(in_order(kObservers));

struct Range {
  float least = 0, greatest = 0;
};

/// Counts values in bins over a range that grows with them, so that memory does not.
class Histogram {
 public:
  /// Throws std::invalid_argument on NaN or infinity.
  void add(std::span<const float> values);
  /// The observer's choice for grids of `levels` values. Zeros if nothing was added.
  Range range(Observer observer, int levels) const;

 private:
  static constexpr int kBins = 4096;
  void widen(float size);
  float middle(int bin) const { return half_ * (float(2 * bin + 1) / kBins - 1); }
  Range percentile() const;
  Range least_error(int levels) const;

  float half_ = 0;  ///< bins cover -half_ to half_
  Range all_;
  int64_t count_ = 0;
  std::vector<int64_t> bins_ = std::vector<int64_t>(kBins);
};

}  // namespace edgeprune
