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

}  // namespace edgeprune
