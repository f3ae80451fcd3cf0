#include "engine/sparse/csr.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace edgeprune::sparse {
namespace {

using Indices = std::vector<int32_t>;
using Floats = std::vector<float>;

TEST(CsrMatrix, KeepsNonzerosInRowOrder) {
  const Floats dense{0, 2, 0,  //
                     0, 0, 0,  // an empty row
                     1, 0, -3};
  const CsrMatrix matrix = CsrMatrix::from_dense(dense.data(), 3, 3);
  EXPECT_EQ(matrix.rows, 3);
  EXPECT_EQ(matrix.columns, 3);
  EXPECT_EQ(matrix.nnz(), 3);
  EXPECT_EQ(matrix.row_ptr, (Indices{0, 1, 1, 3}));
  EXPECT_EQ(matrix.col_idx, (Indices{1, 0, 2}));
  EXPECT_EQ(matrix.values, (Floats{2, 1, -3}));
}

TEST(CsrMatrix, LeavesOutBothZerosAndNothingElse) {
  const Floats dense{0.0f, -0.0f, 1e-45f, NAN, -INFINITY};
  const CsrMatrix matrix = CsrMatrix::from_dense(dense.data(), 1, 5);
  EXPECT_EQ(matrix.col_idx, (Indices{2, 3, 4}));
}

TEST(CsrMatrix, MayBeEmpty) {
  const Floats zeros(6, 0.0f);
  const CsrMatrix matrix = CsrMatrix::from_dense(zeros.data(), 2, 3);
  EXPECT_EQ(matrix.nnz(), 0);
  EXPECT_EQ(matrix.row_ptr, (Indices{0, 0, 0}));
  EXPECT_EQ(CsrMatrix::from_dense(nullptr, 0, 3).row_ptr, (Indices{0}));
  EXPECT_EQ(CsrMatrix::from_dense(nullptr, 2, 0).row_ptr, (Indices{0, 0, 0}));
}

TEST(CsrMatrix, BeyondThirtyTwoBitIndicesIsRefused) {
  EXPECT_THROW(CsrMatrix::from_dense(nullptr, 1 << 16, 1 << 15), std::invalid_argument);
  EXPECT_THROW(CsrMatrix::from_dense(nullptr, int64_t{1} << 62, 4), std::invalid_argument);
  EXPECT_THROW(CsrMatrix::from_dense(nullptr, -1, 4), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune::sparse
