#pragma once
// Per-channel sums over pieces of the rows, each taken by one thread, and how they are put
// together: in the order of the pieces, so that results repeat bit for bit with the same number of
// threads.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/buffer.h"
#include "engine/kernels/normalized.h"

namespace edgeprune::simd {

/// Two per-channel sums over some rows: in float over a block of rows, then in double, which gives
/// six digits of a variance. Written every few rows, so apart from the other threads' (kSeparate).
class PartSums {
 public:
  explicit PartSums(int64_t channels);
  PartSums(PartSums&&) = default;

  /// Before the first row: clears the sums. Not in the constructor, so that the thread does it
  /// that will add to them.
  void begin() {
    if (!begun_) clear();
  }
  /// Takes the block's rows over once there are enough of them.
  void added(int64_t rows) {
    if (counted(rows)) take_over();
  }
  /// Whether these rows fill the block, which is empty then.
  bool counted(int64_t rows) {
    constexpr int64_t kBlockRows = 64;
    *rows_in_block_ += rows;
    if (*rows_in_block_ < kBlockRows) return false;
    *rows_in_block_ = 0;
    return true;
  }
  void flush();

  std::span<double> first, second;
  std::span<float> block;  ///< both sums of the newest rows

 private:
  void clear();
  void take_over();

  std::shared_ptr<float[]> memory_;
  int64_t* rows_in_block_;  ///< in memory_, too
  bool begun_ = false;
};

/// Sums of (x - origin) and (x - origin)^2 over some rows.
struct PartMoments {
  explicit PartMoments(int64_t channels) : sums(channels) {}
  PartSums sums;
  std::vector<float> origin;
  int64_t rows = 0;
};

/// One for each piece.
template <typename Part>
std::vector<Part> parts_of(int pieces, int64_t channels) {
  std::vector<Part> parts;
  parts.reserve(static_cast<size_t>(pieces));
  for (int i = 0; i < pieces; ++i) parts.emplace_back(channels);
  return parts;
}

/// Mean and biased variance of all parts' rows together (Chan, Golub & LeVeque 1983). The first
/// part has rows, others may have none.
void combine(std::vector<PartMoments> parts, const Moments& moments);
/// The two sums of all parts' rows together.
void combine(std::vector<PartSums> parts, const GradientSums& sums);

/// A sum of `count` floats over the rows (the gradient of weights), as each piece has its own share
/// of it: the first one's is `sum` itself. Null is not wanted: then so are all shares.
class Shares {
 public:
  Shares(int pieces, int64_t count, float* sum);
  float* operator[](int piece) const {
    return piece == 0 || sum_ == nullptr ? sum_ : others_.get() + (piece - 1) * stride_;
  }
  /// Adds all to `sum`.
  void add_up() const;

 private:
  int pieces_;
  int64_t count_, stride_;
  float* sum_;
  std::shared_ptr<float[]> others_;
};

/// The mean of a few rows spread over all of them. (One row alone will not do: the first is a
/// corner of an image, whose padding makes it an outlier.)
std::vector<float> rough_mean(const float* input, int64_t rows, int64_t channels);

}  // namespace edgeprune::simd
