#pragma once
// What a set of measurements comes to.

#include <vector>

namespace edgeprune {

/// The middle value, or the mean of the two in the middle. Throws std::invalid_argument on no
/// values.
double median(std::vector<double> values);

/// Nearest rank: the smallest value that at least `share` (in (0, 1]) of all do not exceed.
/// `sorted` ascending. Throws std::invalid_argument on no values or another share.
double percentile(const std::vector<double>& sorted, double share);

/// A median and the interval that holds the true one with 95 % confidence.
struct Interval {
  double median = 0, low = 0, high = 0;
  /// Half the interval's width, as a share of the median.
  double half_width() const { return median > 0 ? (high - low) / 2 / median : 0; }
};

/// By the percentile bootstrap (Efron 1979, "Bootstrap methods: another look at the jackknife"):
/// the medians of 1,000 samples of as many values, drawn from these with replacement, lie in it but
/// for 2.5 % at either end. It assumes nothing about how times are distributed, and a few outliers
/// do not move it. The same values always give the same interval. Below six values it is as wide
/// as they are. Throws std::invalid_argument on no values.
Interval median_interval(const std::vector<double>& values);

}  // namespace edgeprune
