#pragma once

#include <cstdint>
#include <vector>

#include "engine/kernels/panels/panel_layout.h"
#include "engine/sparse/csr.h"

namespace edgeprune::sparse {

/// CSR weights in the order in which spmm() reads them, for activations in panels of one width.
///
/// Channels are cut into blocks whose part of a panel stays in the first-level cache: the product
/// runs block by block, adding to the output. Rows are dealt into groups, the units that threads
/// share out; [block][group][row in group] is the order of everything below. Rows are sorted by
/// their nonzeros, so that consecutive rows leave the kernel's loops after the same number of turns
/// and the branch predictor is right.
class SparseWeights {
 public:
  /// For activations of that many columns, or of any number with panels as wide.
  SparseWeights(const CsrMatrix& matrix, int64_t columns);

  int64_t rows() const { return rows_; }
  int64_t channels() const { return channels_; }
  int64_t nnz() const { return static_cast<int64_t>(values_.size()); }
  int64_t width() const { return width_; }  ///< of a panel
  int64_t bytes() const;                    ///< of memory, all tables included

  // What the kernel reads.
  static constexpr int64_t kGroup = 16;  ///< rows
  struct Row {
    int32_t row;  ///< of the matrix
    int32_t nnz;  ///< in the block of channels
  };
  int64_t groups() const { return (rows_ + kGroup - 1) / kGroup; }
  int64_t blocks() const { return (channels_ + block_channels_ - 1) / block_channels_; }
  int64_t block_channels() const { return block_channels_; }
  const Row* block_rows(int64_t block) const { return order_.data() + block * rows_; }
  int64_t first_value(int64_t block, int64_t group) const {
    return first_value_[static_cast<size_t>(block * groups() + group)];
  }
  const float* values() const { return values_.data(); }
  const uint16_t* offsets() const { return offsets_.data(); }
  const std::vector<int64_t>& cost() const { return cost_; }

 private:
  int64_t rows_, channels_, width_, block_channels_;
  std::vector<Row> order_;            ///< [blocks][rows]
  std::vector<int64_t> first_value_;  ///< [blocks][groups]: index into values_
  std::vector<int64_t> cost_;         ///< [groups + 1]: what a panel costs before that group
  std::vector<float> values_;
  std::vector<uint16_t> offsets_;  ///< of the channel's columns from the block's start, in floats
};

}  // namespace edgeprune::sparse
