#include "engine/sparse/csr.h"

#include <limits>

#include "engine/base/check.h"

namespace edgeprune::sparse {

CsrMatrix CsrMatrix::from_dense(const float* dense, int64_t rows, int64_t columns) {
  require(rows >= 0 && columns >= 0 &&
              (columns == 0 || rows <= std::numeric_limits<int32_t>::max() / columns),
          "CsrMatrix", "a {}x{} matrix does not fit 32-bit indices", rows, columns);
  CsrMatrix matrix{rows, columns, {0}, {}, {}};
  matrix.row_ptr.reserve(static_cast<size_t>(rows) + 1);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const float value = dense[r * columns + c];
      if (value == 0.0f) continue;
      matrix.col_idx.push_back(static_cast<int32_t>(c));
      matrix.values.push_back(value);
    }
    matrix.row_ptr.push_back(static_cast<int32_t>(matrix.values.size()));
  }
  return matrix;
}

}  // namespace edgeprune::sparse
