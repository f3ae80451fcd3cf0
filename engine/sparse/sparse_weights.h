#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/kernels/panels/panel_layout.h"
#include "engine/sparse/csr.h"

namespace edgeprune::sparse {

/// CSR weights in the order in which spmm() reads them, for activations in panels of one width.
///
/// Channels are cut into blocks whose part of a panel stays in the first-level cache: the product
/// runs block by block, adding to the output. Rows are dealt into groups, the units that threads
/// share out: [block][group][row of the group] is the order of everything below. Rows are sorted by
/// their nonzeros, so that consecutive rows leave the kernel's loops after the same number of
/// turns and branches are predicted: with 16 matrices in turn, as the layers of a network, up to
/// 20 % faster with 64 columns and twice as fast with 4.
/// (A benchmark that repeats one matrix does not show it: the predictor learns its rows.)
class SparseWeights {
 public:
  /// For activations of that many columns, or of any number whose panels are as wide. Prepared for
  /// the target in use (engine/kernels/simd/target.h); right, if slower, on any other.
  SparseWeights(const CsrMatrix& matrix, int64_t columns);

  int64_t rows() const { return rows_; }
  int64_t channels() const { return channels_; }
  int64_t nnz() const { return nnz_; }
  int64_t width() const { return width_; }  ///< of a panel, in columns
  int64_t bytes() const;                    ///< of memory, all tables together

  // The rest is for the kernel.

  /// What the tables count: a nonzero, or, with by_fours(), four consecutive channels that are not
  /// all zero. A unit has one offset, of the (first) channel's columns from the block's start, and
  /// one or four values.
  bool by_fours() const { return by_fours_; }
  struct Row {
    int32_t row;    ///< of the matrix
    int32_t units;  ///< in the block; by fours a multiple of four, the last ones zeros
  };
  static constexpr int64_t kGroup = 16;  ///< rows
  int64_t groups() const { return (rows_ + kGroup - 1) / kGroup; }
  int64_t blocks() const { return (channels_ + block_channels_ - 1) / block_channels_; }
  int64_t block_channels() const { return block_channels_; }
  /// Whether a block's activations of two panels stay in the first-level cache.
  bool two_panels_fit() const;
  const Row* rows_of_block(int64_t block) const { return order_.data() + block * rows_; }
  const float* values(int64_t block, int64_t group) const {
    return values_.get() + first_unit(block, group) * (by_fours_ ? 4 : 1);
  }
  const uint16_t* offsets(int64_t block, int64_t group) const {
    return offsets_.data() + first_unit(block, group);
  }
  /// [groups + 1]: what the groups before cost in a panel, in nonzeros.
  const std::vector<int64_t>& cost() const { return cost_; }

 private:
  int64_t first_unit(int64_t block, int64_t group) const {
    return first_unit_[static_cast<size_t>(block * groups() + group)];
  }

  /// The nonzeros [begin, end) of a row, which are all of it.
  void append_fours(const CsrMatrix& matrix, int32_t begin, int32_t end,
                    std::vector<float>& values);

  int64_t rows_, channels_, nnz_, width_, block_channels_;
  bool by_fours_;
  std::vector<Row> order_;  ///< [blocks][rows]
  std::vector<int64_t> cost_;
  std::vector<int64_t> first_unit_;  ///< [blocks][groups]
  std::vector<uint16_t> offsets_;    ///< [units]
  std::shared_ptr<float[]> values_;  ///< [units], by fours [units][4] and rows on cache lines
};

}  // namespace edgeprune::sparse
