#pragma once
// 1x1 convolutions in integers that skip zero weights, wherever they are. Sums are exact, so that the
// bytes are those of pointwise.h.

#include <cstdint>
#include <memory>

#include "engine/kernels/int8/pointwise.h"

namespace edgeprune::int8 {

/// Nonzero weights, packed (sparse_pointwise_packing.h).
struct PackedSparse;

/// The nonzeros of weights [rows, channels], with bias and multipliers, copied. Packed for the target
/// in use and run on that one ever after. Cheap to copy, safe to use from several threads at once.
class SparsePointwiseWeights {
 public:
  static constexpr int64_t kMostChannels = 8192;

  /// As PointwiseWeights; throws for more than kMostChannels, too.
  SparsePointwiseWeights(const RowNumbers& numbers, int64_t rows, int64_t channels, int highest);

  int64_t bytes() const;        ///< of what run() reads
  double density() const;       ///< the share of the weights that are multiplied
  const char* product() const;  ///< "vnni", "pairs" or "plain"
  /// Whether so many pixels take less time than pointwise() on one thread, by what parts of the work
  /// took on Zen 5.
  bool pays(int64_t pixels) const;
  const PackedSparse& packed() const { return *packed_; }

 private:
  std::shared_ptr<const PackedSparse> packed_;
};

/// Bytes of scratch that each thread needs.
int64_t sparse_pointwise_scratch_size(const SparsePointwiseWeights& weights);

/// As pointwise(), of pixels whose channels, rounded up to 16, are read; scratch:
/// sparse_pointwise_scratch_size() for each thread.
void sparse_pointwise(const SparsePointwiseWeights& weights, const Pixels& input,
                      const QuantizedResidual& residual, const Ending& output, uint8_t* scratch,
                      uint8_t* to);

}  // namespace edgeprune::int8
