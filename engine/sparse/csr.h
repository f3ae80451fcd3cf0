#pragma once

#include <cstdint>
#include <vector>

namespace edgeprune::sparse {

/// A sparse matrix in compressed sparse row format: row r's nonzeros are values[row_ptr[r] ..
/// row_ptr[r + 1]) in columns col_idx[...], ascending.
struct CsrMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<int32_t> row_ptr;  ///< rows + 1
  std::vector<int32_t> col_idx;  ///< nnz
  std::vector<float> values;     ///< nnz

  /// From a row-major dense matrix; both zeros (+0 and -0) are left out. Throws
  /// std::invalid_argument beyond 2^31 entries.
  static CsrMatrix from_dense(const float* dense, int64_t rows, int64_t columns);

  int64_t nnz() const { return static_cast<int64_t>(values.size()); }
};

}  // namespace edgeprune::sparse
