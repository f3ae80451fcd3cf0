#pragma once
// Per-channel sums that every thread takes of its own rows, and how they are put together: in the
// order of the parts, so that results repeat bit for bit with the same number of threads.

#include <cstdint>
#include <vector>

#include "engine/base/separate.h"
#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Two per-channel sums over some rows: in float over a block of rows, then in double, which gives
/// six digits of a variance. Written every few rows, so apart from the other threads'.
struct alignas(kSeparate) PartSums {
  explicit PartSums(int64_t channels)
      : first(channels, 0.0), second(channels, 0.0), block(2 * channels, 0.0f) {}

  /// Takes the block's rows over once there are enough of them.
  void added(int64_t rows) {
    constexpr int64_t kBlockRows = 64;
    rows_in_block += rows;
    if (rows_in_block >= kBlockRows) flush();
  }
  void flush();

  SeparateVector<double> first, second;
  SeparateVector<float> block;  ///< both sums of the newest rows
  int64_t rows_in_block = 0;
};

/// Sums of (x - origin) and (x - origin)^2 over some rows.
struct PartMoments {
  explicit PartMoments(int64_t channels) : sums(channels) {}
  PartSums sums;
  std::vector<float> origin;
  int64_t rows = 0;
};

/// Mean and biased variance of all parts' rows together (Chan, Golub & LeVeque 1983). The first
/// part has rows, others may have none.
void combine(std::vector<PartMoments> parts, const Moments& moments);
/// The two sums of all parts' rows together.
void combine(std::vector<PartSums> parts, const GradientSums& sums);

/// The mean of a few rows spread over all of them. (One row alone will not do: the first is a
/// corner of an image, whose padding makes it an outlier.)
std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels);

}  // namespace edgeprune::simd
