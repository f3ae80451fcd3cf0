#pragma once
// Per-channel sums that every thread takes of its own rows, and how they are put together: in the order
// of the parts, so that results repeat bit for bit with the same number of threads.

#include <cstdint>
#include <vector>

#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Sums of (x - origin) and (x - origin)^2 over some rows.
struct PartMoments {
  explicit PartMoments(int64_t channels) : sum(channels, 0.0), squares(channels, 0.0) {}
  int64_t rows = 0;
  std::vector<float> origin;
  std::vector<double> sum, squares;
};

/// Mean and biased variance of all parts' rows together (Chan, Golub & LeVeque 1983).
void combine(const std::vector<PartMoments>& parts, const Moments& moments);

/// The two sums of GradientSums over some rows.
struct PartSums {
  explicit PartSums(int64_t channels) : first(channels, 0.0), second(channels, 0.0) {}
  std::vector<double> first, second;
};
void combine(const std::vector<PartSums>& parts, const GradientSums& sums);

/// The mean of a few rows spread over all of them. (One row alone will not do: the first is a corner of
/// an image, whose padding makes it an outlier.)
std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels);

}  // namespace edgeprune::simd
